"""Figures of the pages on shared kernels and on things that touch."""

from __future__ import annotations

import numpy as np
from PIL import Image

from handbook.sheets import BLUE, ORANGE, framed, sheet

_GREEN = (60, 140, 90)
_THINGS = np.array([(245, 245, 245), BLUE, ORANGE, _GREEN, (170, 70, 120), (120, 120, 60), (80, 160, 190)], np.uint8)


def ksac_rates() -> Image.Image:
    """Taps of three rates: a kernel of its own at each (ASPP), and one kernel at all of them (KSAC)."""
    panels = []
    for name, colours in (("ASPP", (BLUE, ORANGE, _GREEN)), ("KSAC", (BLUE, BLUE, BLUE))):
        for place, (rate, colour) in enumerate(zip((2, 6, 12), colours, strict=True), 1):
            map_ = np.full((33, 33, 3), 235, np.uint8)
            map_[np.ix_((16 - rate, 16, 16 + rate), (16 - rate, 16, 16 + rate))] = colour
            whose = f"kernel {place}" if name == "ASPP" else "the kernel"
            panels.append((f"{name}, rate {rate}: {whose}", map_))
    return sheet(panels, 5, columns=3)


def instances_necks() -> Image.Image:
    """A region of things that touch, its connected components, and what is told apart at necks."""
    from intarsia.instances import number_instances

    y, x = np.mgrid[:96, :128]
    region = np.zeros((96, 128), bool)
    for row, column, high, wide in (
        (30, 24, 17, 17),
        (34, 54, 15, 15),
        (60, 36, 14, 14),
        (34, 100, 22, 12),
        (74, 96, 19, 22),
    ):
        region |= ((y - row) / high) ** 2 + ((x - column) / wide) ** 2 < 1
    panels = [("one class", framed(region))]
    for title, neck in (("connected", None), ("at necks", 0.45)):
        numbers = number_instances(region.astype(np.uint8), [1], neck=neck)
        panels.append((f"{title}: {numbers.max()} things", _THINGS[numbers]))
    return sheet(panels, 2)
