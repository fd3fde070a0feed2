"""A legend below a drawing: which colour is which class."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from intarsia.labels import LabelSpace

_GAP, _LEAST_TEXT = 8, 14
_PAPER, _INK = (255, 255, 255), (30, 30, 30)


def with_legend(drawing: Image.Image, space: LabelSpace, names: Iterable[str]) -> Image.Image:
    """Put a legend below a drawing.

    Args:
        drawing: RGB.
        space: the classes.
        names: those that are shown, in the order in which they are named.

    Returns:
        The drawing, as wide as it was, with as many lines below it as the names take.
    """
    size = max(_LEAST_TEXT, drawing.width // 60)
    font = ImageFont.load_default(size)
    entries = [(name, space.palette[space.index(name)]) for name in names if name in space.names]
    places: list[tuple[int, int]] = []
    x, line = _GAP, 0
    for name, _ in entries:
        width = size + _GAP // 2 + round(font.getlength(name)) + 2 * _GAP
        if x > _GAP and x + width > drawing.width:
            x, line = _GAP, line + 1
        places.append((x, line))
        x += width
    step = round(1.5 * size)
    sheet = Image.new("RGB", (drawing.width, drawing.height + (line + 1) * step + 2 * _GAP), _PAPER)
    sheet.paste(drawing, (0, 0))
    pen = ImageDraw.Draw(sheet)
    for (name, color), (x, line) in zip(entries, places, strict=True):
        y = drawing.height + _GAP + line * step
        pen.rectangle((x, y, x + size, y + size), fill=color, outline=_INK)
        pen.text((x + size + _GAP // 2, y + size / 2), name, fill=_INK, font=font, anchor="lm")
    return sheet
