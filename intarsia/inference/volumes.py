"""Volumes: segmented slice by slice, each with its neighbours as channels, and written back on their own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.labels import LabelArray
from intarsia.media.source import ArraySource, as_rgb
from intarsia.media.volumes import VolumeReader, Voxels, stack
from intarsia.result import VolumeSegmentation

Progress = Callable[[int, int], None]


def segment_volume(
    predictor: GridPredictor,
    volume: VolumeReader,
    *,
    progress: Progress | None = None,
) -> VolumeSegmentation:
    """Segment one volume.

    Args:
        predictor: a model for volumes.
        volume: opened, see `intarsia.media.volumes.open_volume`.
        progress: called after each slice with the number done and the number of all.

    Raises:
        DataError: the volume cannot be read, or the model is not one for volumes.
    """
    preprocessing = predictor.preprocessing
    preprocessing.check_medium("volume", volume.name)
    window = None if preprocessing.windows is None else preprocessing.windows[0]
    voxels = volume.read(window, preprocessing.axis)
    labels = np.empty(voxels.shape, dtype=predictor.space.dtype)
    busiest, most = 0, -1
    for index, found in enumerate(slice_labels(predictor, voxels, volume.name)):
        labels[index] = found
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


def slice_labels(predictor: GridPredictor, voxels: Voxels, name: str) -> Iterator[LabelArray]:
    """Segment each slice of (D, H, W) voxels: labels (H, W), one after the other."""

    def slices() -> Iterator[ArraySource]:
        for index in range(len(voxels)):
            channels = stack(voxels, index, predictor.preprocessing.slices or 1)
            yield ArraySource(channels, f"{name}, slice {index + 1}", "volume")

    ranking = predictor.ranking(slices())
    for source in slices():
        yield np.concatenate([rows.labels for rows in predictor.rows(source, ranking=ranking)])
