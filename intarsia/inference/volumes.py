"""Volumes: segmented slice by slice, each with its neighbours as channels, and written back on their own grid."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.grids import Grid
from intarsia.media.source import ArraySource, as_rgb
from intarsia.media.volumes import VolumeLike, VolumeReader, Voxels, open_volume, stack
from intarsia.result.renders import blend

if TYPE_CHECKING:
    from intarsia.inference.pictures.predictor import Predictor

Progress = Callable[[int, int], None]


@dataclass(eq=False)
class VolumeSegmentation:
    """One volume's labels, on the volume's own grid.

    Attributes:
        labels: class indices in the stored order (X, Y, Z), of `space.dtype`.
        space: the classes.
        volume: the volume that was segmented.
        shown: the slice (H, W, 3) uint8 that `overlay` shows, the one with the most of all classes but the first.
        shown_labels: its labels (H, W).
        stretch: height of its pixels, as a multiple of their width.
    """

    labels: LabelArray
    space: LabelSpace
    volume: VolumeReader
    shown: NDArray[np.uint8]
    shown_labels: LabelArray
    stretch: float

    @property
    def grid(self) -> Grid:
        """Where the voxels lie in the patient."""
        return self.volume.grid

    @property
    def source(self) -> str:
        """Path of what was segmented."""
        return self.volume.name

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Mask (X, Y, Z) of one class by its name; `UsageError` with a suggestion when there is no such class."""
        return np.equal(self.labels, self.space.index(name))

    def counts(self) -> NDArray[np.int64]:
        """Voxels of each label, `ignore_index` included."""
        return np.bincount(self.labels.ravel(order="K"), minlength=self.space.ignore_index + 1)

    def areas(self) -> dict[str, float]:
        """Share of all voxels (0..1) of each class that occurs, largest first."""
        counts = self.counts()
        shares = {name: int(counts[i]) / self.labels.size for i, name in enumerate(self.space.names) if counts[i]}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def millilitres(self) -> dict[str, float]:
        """Volume of each class in millilitres."""
        voxel = float(np.prod(self.grid.spacing)) / 1000
        return {name: int(count) * voxel for name, count in zip(self.space.names, self.counts(), strict=False)}

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The slice with the most to see, the labels' colours blended over it."""
        blended = blend(self.shown, self.shown_labels, self.space, opacity)
        height, width = blended.shape[:2]
        size = (width, max(1, round(height * self.stretch)))
        return Image.fromarray(cv2.resize(blended, size, interpolation=cv2.INTER_LINEAR))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as NIfTI (.nii.gz, .nii) with the volume's own grid, affine and header."""
        self.volume.write(path, self.labels, self.space)


def segment_volume(
    predictor: Predictor, source: VolumeLike, *, series: str | None = None, progress: Progress | None = None
) -> VolumeSegmentation:
    """Segment one volume.

    Args:
        predictor: a model for volumes.
        source: see `intarsia.media.volumes.open_volume`.
        series: the DICOM series, where a folder holds several.
        progress: called after each slice with the number done and the number of all.

    Raises:
        DataError: the volume cannot be read, or the model is not one for volumes.
    """
    predictor.check_medium("volume", str(source))
    preprocessing = predictor.preprocessing
    volume = open_volume(source, series=series)
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


def slice_labels(predictor: Predictor, voxels: Voxels, name: str) -> Iterator[LabelArray]:
    """The labels (H, W) of each slice of (D, H, W) voxels, one after the other."""
    for index in range(len(voxels)):
        channels = stack(voxels, index, predictor.preprocessing.slices or 1)
        source = ArraySource(channels, f"{name}, slice {index + 1}", "volume")
        yield np.concatenate([band.labels for band in predictor.bands(source)])
