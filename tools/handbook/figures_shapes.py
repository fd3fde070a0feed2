"""Figures of the pages on shared kernels, on things that touch and on points."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

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


def pointnet_maxima() -> Image.Image:
    """Points of a table, and those that give at least one of the 1024 maxima of a PointNet with random weights."""
    import torch

    from intarsia.models.cloud.pointnet import PointNet

    torch.manual_seed(0)
    random = np.random.default_rng(4)
    legs = [
        random.uniform((x, y, -0.8), (x + 0.12, y + 0.12, 0.1), (60, 3)) for x in (-0.8, 0.68) for y in (-0.6, 0.48)
    ]
    points = np.concatenate([random.uniform((-0.9, -0.7, 0.1), (0.9, 0.7, 0.2), (560, 3)), *legs]).astype(np.float32)
    rows = torch.from_numpy(points)[None].requires_grad_()
    PointNet(2, 3, whole=True, transforms=False, dropout=0).eval().features(rows)[0].sum().backward()
    winners = rows.grad[0].abs().sum(1).numpy() > 0
    panels = []
    for title, chosen in (("points", np.ones(len(points), bool)), ("that reach a maximum", winners)):
        picture = Image.new("RGB", (300, 190), "white")
        pen = ImageDraw.Draw(picture)
        for x, y, z in points[chosen]:
            left, top = 150 + 115 * x + 45 * y, 100 - 80 * z + 28 * y
            pen.ellipse([left - 1.5, top - 1.5, left + 1.5, top + 1.5], fill=BLUE)
        panels.append((f"{chosen.sum()} {title}", np.asarray(picture)))
    return sheet(panels, 1)
