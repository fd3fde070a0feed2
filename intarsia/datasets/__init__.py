"""Labelled data sets: opening them whatever their layout, checking them, and making synthetic ones."""

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.merging import Source, merge
from intarsia.datasets.opening import layouts, open_dataset
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
    "layouts",
    "merge",
    "open_dataset",
    "remapped",
]
