"""VolumeSegmentation: a volume's labels on its own grid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.grids import Grid
from intarsia.media.volumes import VolumeReader
from intarsia.result.contract import Result
from intarsia.result.renders import Render, Style, find_render


@dataclass(eq=False)
class VolumeSegmentation(Result):
    """One volume's labels, on the volume's own grid.

    Attributes:
        labels: class indices in the stored order (X, Y, Z), of `space.dtype`.
        space: the classes.
        volume: the volume that was segmented.
        shown: the slice (H, W, 3) uint8 that `render` shows, the one with the most of all classes but the first.
        shown_labels: its labels (H, W).
        stretch: height of its pixels, as a multiple of their width.
    """

    labels: LabelArray
    space: LabelSpace
    volume: VolumeReader
    shown: NDArray[np.uint8]
    shown_labels: LabelArray
    stretch: float
    confidence: None = None
    medium: ClassVar[str] = "volume"

    @property
    def grid(self) -> Grid:
        """Where the voxels lie in the patient."""
        return self.volume.grid

    @property
    def source(self) -> str:
        """Path of what was segmented."""
        return self.volume.name

    @property
    def size(self) -> tuple[int, ...]:
        """The sides of the grid."""
        return tuple(self.grid.shape)

    def millilitres(self) -> dict[str, float]:
        """Compute the volume of each class in millilitres."""
        voxel = float(np.prod(self.grid.spacing)) / 1000
        return {name: int(count) * voxel for name, count in zip(self.space.names, self.counts(), strict=False)}

    def render(
        self, kind: str | Render = "overlay", *, opacity: float = 0.5, keep: tuple[str, ...] = ()
    ) -> Image.Image:
        """Draw the slice with the most to see; for the arguments, see `Segmentation.render`."""
        render, style = find_render(kind), Style(self.space, opacity, tuple(keep))
        render.check(style)
        drawn = render.draw(self.shown, self.shown_labels, style)
        height, width = drawn.shape[:2]
        size = (width, max(1, round(height * self.stretch)))
        return Image.fromarray(cv2.resize(drawn, size, interpolation=cv2.INTER_LINEAR))

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """Blend the labels' colours over the slice with the most to see; see `render`."""
        return self.render("overlay", opacity=opacity)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as NIfTI (.nii.gz, .nii) with the volume's own grid, affine and header."""
        self.volume.write(path, self.labels, self.space)
