"""Two folders of label volumes, predictions and truth: paired by name, compared voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from intarsia.classlists import ClassList
from intarsia.datasets.classfile import find_class_file
from intarsia.datasets.layouts.filenames import walk
from intarsia.datasets.layouts.maskfolders import MaskFolders, Side, sides_of
from intarsia.datasets.layouts.pairing import pair_masks
from intarsia.datasets.layouts.volumes import survey_volumes
from intarsia.errors import DataError
from intarsia.labels import LabelArray
from intarsia.media.volumes import VOLUME_SUFFIXES, VolumeReader, is_volume, open_volume, volume_stem


@dataclass(frozen=True)
class VolumeFolders(MaskFolders):
    """Matched label volumes of two folders; see `MaskFolders`."""

    medium: ClassVar[Literal["volume"]] = "volume"

    def read(self, prediction: Path, truth: Path) -> tuple[LabelArray, LabelArray]:
        """Labels (D, H, W) of one pair as axial slices, both in the truth's space, however their axes are stored.

        Raises:
            DataError: a file is damaged or holds values that no class has, or the voxels lie elsewhere.
        """
        ours, theirs = open_volume(prediction), open_volume(truth)
        apart = theirs.grid.differs(ours.grid).replace("the image", "the truth")
        if apart:
            raise DataError(
                f"{prediction} does not lie where {truth} lies: {apart}; resample the prediction to the truth's grid "
                "(labels by nearest neighbour)"
            )
        return self.in_truth_space(_labels(ours, self.prediction), _labels(theirs, self.truth))

    def spacing(self, truth: Path) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns."""
        return open_volume(truth).grid.view_spacing("axial")


def are_volumes(predictions: Path, targets: Path) -> bool:
    """Tell whether two names stand for label volumes: files, or folders that hold such."""
    return all(
        _is_label_volume(path) if path.is_file() else path.is_dir() and any(map(_is_label_volume, walk(path)))
        for path in (predictions, targets)
    )


def open_volume_folders(
    predictions: Path, targets: Path, classes: ClassList | None, ignore: Sequence[int]
) -> VolumeFolders:
    """Pair the label volumes of two folders; for the arguments and errors, see `open_mask_folders`."""
    found = pair_masks(predictions, targets, suffixes=VOLUME_SUFFIXES, stem=volume_stem)
    pairs = tuple((name, Path(str(ours)), Path(str(theirs))) for _, name, theirs, ours in found.matched)
    seen, tables = zip(
        *(survey_volumes(column) for column in ([path for _, path, _ in pairs], [path for *_, path in pairs])),
        strict=True,
    )
    said = [
        classes or (find_class_file(root) if root.is_dir() else None) or table
        for root, table in zip((predictions, targets), tables, strict=True)
    ]
    sides, notes = sides_of((seen[0], seen[1]), (said[0], said[1]), ignore)
    return VolumeFolders(pairs, *sides, missing=found.images, extra=found.masks, notes=(*found.notes, *notes))


def _is_label_volume(path: Path) -> bool:
    return path.name.lower().endswith(VOLUME_SUFFIXES) and is_volume(path)


def _labels(volume: VolumeReader, side: Side) -> LabelArray:
    stored = np.ascontiguousarray(volume.grid.view(volume.stored_labels()[0], "axial"))
    try:
        return side.coding.decode(stored.reshape(len(stored), -1), side.space).reshape(stored.shape)
    except DataError as error:
        raise DataError(f"{volume.name}: {error}") from error
