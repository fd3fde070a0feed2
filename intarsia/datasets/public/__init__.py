"""The public data sets: what is known about each, and its official layouts."""

import importlib

from intarsia.datasets.layouts.contract import Layout
from intarsia.datasets.public.entry import Download, Entry

MODULES = (
    "context", "voc", "cocostuff", "cityscapes", "camvid", "ade20k", "people", "inria", "isbi", "lits", "s3dis",
    "shapenet_part",
)  # fmt: skip
"""Modules of this package that define `ENTRIES` and `LAYOUTS`, in the order in which their layouts are recognised."""

_FOUND = [importlib.import_module(f"intarsia.datasets.public.{module}") for module in MODULES]

ENTRIES: dict[str, Entry] = {entry.name: entry for module in _FOUND for entry in module.ENTRIES}
"""Every public data set by name."""

LAYOUTS: dict[str, Layout] = {name: known for module in _FOUND for name, known in module.LAYOUTS.items()}
"""Every official layout by name."""

__all__ = ["ENTRIES", "LAYOUTS", "MODULES", "Download", "Entry"]
