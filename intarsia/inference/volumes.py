"""Volumes: segmented slice by slice, each with its neighbours as channels, and written back on their own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.inference.pictures.rows import Rows
from intarsia.media.source import ArraySource, as_rgb
from intarsia.media.volumes import VolumeReader, Voxels, stack
from intarsia.result import VolumeSegmentation

Progress = Callable[[int, int], None]


def segment_volume(
    predictor: GridPredictor,
    volume: VolumeReader,
    *,
    progress: Progress | None = None,
    every: NDArray[np.float32] | None = None,
) -> VolumeSegmentation:
    """Segment one volume.

    Args:
        predictor: a model for volumes.
        volume: opened, see `intarsia.media.volumes.open_volume`.
        progress: called after each slice with the number done and the number of all.
        every: (X, Y, Z, C) in the order of the stored axes: what the probabilities of all classes are put into.

    Raises:
        DataError: the volume cannot be read, or the model is not one for volumes.
    """
    preprocessing = predictor.preprocessing
    preprocessing.check_medium("volume", volume.name)
    window = None if preprocessing.windows is None else preprocessing.windows[0]
    voxels = volume.read(window, preprocessing.axis)
    labels = np.empty(voxels.shape, dtype=predictor.space.dtype)
    busiest, most = 0, -1
    planes = [] if every is None else [volume.grid.view(one, preprocessing.axis) for one in np.moveaxis(every, -1, 0)]
    for index, rows in enumerate(sliced(predictor, voxels, volume.name, probabilities=every is not None)):
        found = np.concatenate([part.labels for part in rows])
        labels[index] = found
        for number, plane in enumerate(planes):
            plane[index] = np.concatenate(
                [part.probabilities[number] for part in rows if part.probabilities is not None]
            )
        filled = int(np.count_nonzero((found > 0) & (found < len(predictor.space))))
        if filled > most:
            busiest, most = index, filled
        if progress is not None:
            progress(index + 1, len(voxels))
    spacing = volume.grid.view_spacing(preprocessing.axis)
    return VolumeSegmentation(
        np.ascontiguousarray(volume.grid.stored(labels, preprocessing.axis)),
        predictor.space,
        volume,
        as_rgb(voxels[busiest][..., None], "volume"),
        labels[busiest].copy(),
        spacing[1] / spacing[2],
    )


def sliced(predictor: GridPredictor, voxels: Voxels, name: str, *, probabilities: bool = False) -> Iterator[list[Rows]]:
    """Segment each slice of (D, H, W) voxels, one after the other."""

    def slices() -> Iterator[ArraySource]:
        for index in range(len(voxels)):
            channels = stack(voxels, index, predictor.preprocessing.slices or 1)
            yield ArraySource(channels, f"{name}, slice {index + 1}", "volume")

    ranking = predictor.ranking(slices())
    for source in slices():
        yield list(predictor.rows(source, ranking=ranking, probabilities=probabilities))
