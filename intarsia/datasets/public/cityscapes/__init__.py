"""Cityscapes: its labels, its tree and its official evaluation; and KITTI semantics, which has the same labels."""

from intarsia.datasets.public.cityscapes.labels import (
    CATEGORIES,
    CITYSCAPES,
    CITYSCAPES_7,
    LABELS,
    Label,
    instance_numbers,
)
from intarsia.datasets.public.cityscapes.scores import PROTOCOL
from intarsia.datasets.public.cityscapes.tree import (
    ENTRIES,
    ENTRY,
    KITTI_ENTRY,
    LAYOUTS,
    Snippet,
    draw_polygons,
    snippets,
)

__all__ = [
    "CATEGORIES",
    "CITYSCAPES",
    "CITYSCAPES_7",
    "ENTRIES",
    "ENTRY",
    "KITTI_ENTRY",
    "LABELS",
    "LAYOUTS",
    "PROTOCOL",
    "Label",
    "Snippet",
    "draw_polygons",
    "instance_numbers",
    "snippets",
]
