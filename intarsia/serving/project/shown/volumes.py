"""Scans: volumes that are shown and corrected slice by slice, and written as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from intarsia.datasets.layouts import voxels
from intarsia.errors import UsageError
from intarsia.files import make_folder
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import read_mask
from intarsia.media.pixels import RGB
from intarsia.media.source import ArraySource, PixelSource
from intarsia.media.volumes import Window, open_volume, stack
from intarsia.preprocessing import Preprocessing
from intarsia.serving.project.items import Found
from intarsia.serving.project.publishing import VOLUMES, bring, write_classes
from intarsia.serving.project.revisions import Saved
from intarsia.serving.project.shown.contract import Facts, Shown


class ShownVolume(Shown):
    """A volume, by its axial slices."""

    medium, things, known, is_whole = "volume", "volume", False, True

    def facts(self) -> Facts:
        """Its size, and how many slices it has."""
        grid = open_volume(self.item.file).grid
        depth, height, width = grid.view(np.broadcast_to(np.uint8(0), grid.shape), "axial").shape
        return Facts(width, height, depth)

    def details(self) -> dict[str, Any]:
        """Millimetres between slices, rows and columns; the values that are black and white where nobody says them."""
        reader = open_volume(self.item.file)
        return {"spacing": reader.grid.view_spacing("axial"), "window": reader.range()}

    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """A slice, in grey."""
        plane = voxels.slices(self.item.file, window, "axial")[frame]
        return np.repeat(plane[..., None], 3, axis=2)

    def own_source(self, seen: Preprocessing, frame: int) -> PixelSource:
        """A slice between its neighbours, in the model's window."""
        if seen.axis != "axial":
            raise UsageError(f"this model sees {seen.axis} slices, and the studio shows axial ones; segment the volume")
        slices = voxels.slices(self.item.file, seen.windows[0] if seen.windows else None, "axial")
        return ArraySource(stack(slices, frame, seen.slices or 1), self.item.place, "volume")

    @classmethod
    def mask(cls, folder: Path, name: str, frame: int) -> Path:
        """A NIfTI file, in a data set of its own."""
        return folder / VOLUMES / "masks" / f"{name}.nii.gz"


def write_volume(
    folder: Path, name: str, item: Found, slices: dict[int, Saved], base: LabelArray | None, space: LabelSpace
) -> Path:
    """Write the labels of a volume on its own grid, with its affine: slices that nobody labelled are unlabelled.

    Args:
        folder: of the project.
        name: the item's id.
        item: the volume.
        slices: what was saved, by number.
        base: labels that the data set brings along, (D, H, W) in the project's classes.
        space: the classes.
    """
    reader = open_volume(item.file)
    view = reader.grid.view(np.broadcast_to(np.uint8(0), reader.grid.shape), "axial")
    labels: LabelArray = np.full(view.shape, space.ignore_index, space.dtype) if base is None else base
    for number, saved in slices.items():
        labels[number] = read_mask(saved.path)
    bring(folder / VOLUMES / "images", name, item)
    target = ShownVolume.mask(folder, name, 0)
    make_folder(target.parent)
    reader.write(target, np.ascontiguousarray(reader.grid.stored(labels, "axial")), space)
    for place in (folder, folder / VOLUMES):
        write_classes(place, space)
    return target
