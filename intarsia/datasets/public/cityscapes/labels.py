"""Cityscapes' labels, classes and categories, and how its instance files number things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intarsia.datasets.coding import RawMask
from intarsia.labels import Color, LabelSpace


@dataclass(frozen=True)
class Label:
    """One of Cityscapes' labels (cityscapesScripts, helpers/labels.py).

    Attributes:
        name: of the label.
        id: in the labelIds files.
        category: of the 8, "void" included.
        color: RGB.
        evaluated: it counts in the benchmark; the others are ignored.
        instances: its things are told apart.
    """

    name: str
    id: int
    category: str
    color: Color
    evaluated: bool
    instances: bool = False


LABELS = (
    Label("unlabeled", 0, "void", (0, 0, 0), False),
    Label("ego vehicle", 1, "void", (0, 0, 0), False),
    Label("rectification border", 2, "void", (0, 0, 0), False),
    Label("out of roi", 3, "void", (0, 0, 0), False),
    Label("static", 4, "void", (0, 0, 0), False),
    Label("dynamic", 5, "void", (111, 74, 0), False),
    Label("ground", 6, "void", (81, 0, 81), False),
    Label("road", 7, "flat", (128, 64, 128), True),
    Label("sidewalk", 8, "flat", (244, 35, 232), True),
    Label("parking", 9, "flat", (250, 170, 160), False),
    Label("rail track", 10, "flat", (230, 150, 140), False),
    Label("building", 11, "construction", (70, 70, 70), True),
    Label("wall", 12, "construction", (102, 102, 156), True),
    Label("fence", 13, "construction", (190, 153, 153), True),
    Label("guard rail", 14, "construction", (180, 165, 180), False),
    Label("bridge", 15, "construction", (150, 100, 100), False),
    Label("tunnel", 16, "construction", (150, 120, 90), False),
    Label("pole", 17, "object", (153, 153, 153), True),
    Label("polegroup", 18, "object", (153, 153, 153), False),
    Label("traffic light", 19, "object", (250, 170, 30), True),
    Label("traffic sign", 20, "object", (220, 220, 0), True),
    Label("vegetation", 21, "nature", (107, 142, 35), True),
    Label("terrain", 22, "nature", (152, 251, 152), True),
    Label("sky", 23, "sky", (70, 130, 180), True),
    Label("person", 24, "human", (220, 20, 60), True, True),
    Label("rider", 25, "human", (255, 0, 0), True, True),
    Label("car", 26, "vehicle", (0, 0, 142), True, True),
    Label("truck", 27, "vehicle", (0, 0, 70), True, True),
    Label("bus", 28, "vehicle", (0, 60, 100), True, True),
    Label("caravan", 29, "vehicle", (0, 0, 90), False, True),
    Label("trailer", 30, "vehicle", (0, 0, 110), False, True),
    Label("train", 31, "vehicle", (0, 80, 100), True, True),
    Label("motorcycle", 32, "vehicle", (0, 0, 230), True, True),
    Label("bicycle", 33, "vehicle", (119, 11, 32), True, True),
)
"""All labels but license plate, whose id -1 is never drawn."""

CATEGORIES = ("flat", "construction", "object", "nature", "sky", "human", "vehicle")

EVALUATED = tuple(label for label in LABELS if label.evaluated)
CITYSCAPES = LabelSpace(tuple(label.name for label in EVALUATED), tuple(label.color for label in EVALUATED))
"""The 19 evaluated classes, in the order of the train ids."""
CITYSCAPES_7 = LabelSpace(
    CATEGORIES, tuple(next(label.color for label in EVALUATED if label.category == name) for name in CATEGORIES)
)
"""The 7 evaluated categories, each in the colour of its first class."""


def instance_numbers(stored: RawMask) -> RawMask:
    """Every single thing of an instance file by a number of its own, everything else 0.

    Args:
        stored: (H, W) values of an instanceIds.png (label x 1000 + number; label alone for stuff and for groups), or of
            a file in KITTI's instance/ (label x 256 + number; number 0 for stuff and for groups).
    """
    highest = int(stored.max(initial=0))
    # Things are labels 24 to 33: Cityscapes' numbers start at 24000, KITTI's end below 9000.
    if 256 <= highest < 24_000:
        return np.where((stored >= 24 * 256) & (stored % 256 > 0), stored, 0).astype(np.uint16)
    return np.where(stored >= 1000, stored, 0).astype(np.uint16)
