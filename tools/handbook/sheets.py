"""What figures are put together from: panels beside each other, and bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]
BLUE, ORANGE, GREY = (60, 90, 170), (200, 120, 60), (190, 190, 190)
_GAP, _LINE = 12, 18


def sheet(panels: Sequence[tuple[str, Pixels]], scale: int, columns: int = 0) -> Image.Image:
    """Put panels beside each other, each enlarged without smoothing, with its title above.

    Args:
        panels: titles and pictures (H, W, 3); of one size if there are several rows.
        scale: of the enlargement.
        columns: panels in a row; 0 for all.
    """
    rows = [panels[at : at + (columns or len(panels))] for at in range(0, len(panels), columns or len(panels))]
    wide = max(sum(one.shape[1] * scale + _GAP for _, one in row) - _GAP for row in rows)
    highs = [max(len(one) for _, one in row) * scale + _LINE for row in rows]
    picture = Image.new("RGB", (wide, sum(highs) + _GAP * (len(rows) - 1)), "white")
    pen, top = ImageDraw.Draw(picture), 0
    for row, high in zip(rows, highs, strict=True):
        left = 0
        for title, pixels in row:
            size = pixels.shape[1] * scale, len(pixels) * scale
            pen.text((left, top + 2), title, fill="black")
            picture.paste(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST), (left, top + _LINE))
            left += size[0] + _GAP
        top += high + _GAP
    return picture


def bars(rows: Sequence[tuple[str, float]], most: float, name_width: int = 300) -> Image.Image:
    """Draw a bar for each named value, the value behind it.

    Args:
        rows: names and values.
        most: the value of a bar of full length.
        name_width: pixels that names take.
    """
    picture = Image.new("RGB", (name_width + 340, 22 * len(rows) + 6), "white")
    pen = ImageDraw.Draw(picture)
    for place, (name, value) in enumerate(rows):
        top = 22 * place + 4
        pen.text((4, top + 2), name, fill="black")
        pen.rectangle([name_width, top, name_width + 280 * value / most, top + 15], fill=BLUE)
        pen.text((name_width + 284 * value / most + 4, top + 2), f"{value:.3f}", fill="black")
    return picture


def framed(mask: NDArray[np.bool_]) -> Pixels:
    """Draw a mask (H, W) as black on white."""
    return np.repeat(np.where(mask, 60, 245).astype(np.uint8)[..., None], 3, axis=2)


def heat(values: NDArray[np.floating], most: float) -> Pixels:
    """Draw values (H, W) from 0, white, to `most`, dark blue."""
    share = np.clip(values / most, 0, 1)[..., None]
    return (255 - share * (235, 195, 85)).astype(np.uint8)
