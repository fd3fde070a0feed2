"""Labelled data sets: opening them whatever their layout, checking them, and making synthetic ones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intarsia.datasets.coding import MaskCoding
    from intarsia.datasets.merging import Source, merge
    from intarsia.datasets.opening import open_dataset
    from intarsia.datasets.pictures import PictureSplit
    from intarsia.datasets.remap import Remap, remapped
    from intarsia.datasets.splits import Dataset, Item, Split
    from intarsia.recipe import ReadOptions

__all__ = [
    "Dataset",
    "Item",
    "MaskCoding",
    "PictureSplit",
    "ReadOptions",
    "Remap",
    "Source",
    "Split",
    "merge",
    "open_dataset",
    "remapped",
]

# Loaded when they are asked for: comparing two folders of masks must not wait for all layouts and public data sets.
_ROOMS = {
    "Dataset": "intarsia.datasets.splits",
    "Item": "intarsia.datasets.splits",
    "MaskCoding": "intarsia.datasets.coding",
    "PictureSplit": "intarsia.datasets.pictures",
    "ReadOptions": "intarsia.recipe",
    "Remap": "intarsia.datasets.remap",
    "Source": "intarsia.datasets.merging",
    "Split": "intarsia.datasets.splits",
    "merge": "intarsia.datasets.merging",
    "open_dataset": "intarsia.datasets.opening",
    "remapped": "intarsia.datasets.remap",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)
