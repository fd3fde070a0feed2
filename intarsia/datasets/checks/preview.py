"""A contact sheet: a few samples of a split, as they look and as they are labelled, with the class colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intarsia.datasets.splits import Look, Split
from intarsia.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_GAP = 8
_LINE = 20
_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_FAULT = (190, 30, 30)
_MOST_CLASSES = 60


def contact_sheet(split: Split, *, count: int = 6, cell: int = 320, opacity: float = 0.5) -> Image:
    """Draw samples spread over the split: as they are left, as they are labelled right, and below a legend.

    A sample that cannot be read appears as its error message.

    Args:
        split: what to show.
        count: number of samples.
        cell: longer side of each picture in pixels.
        opacity: of the labels over the photo, 0 to 1.
    """
    from PIL import Image, ImageDraw

    chosen = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(int))
    tiles: list[tuple[str, Image.Image | str]] = []
    seen: set[int] = set()
    for index in chosen.tolist():
        try:
            look = split.picture(index, cell, opacity=opacity)
        except DataError as error:
            tiles.append((split.items[index].id, str(error)))
            continue
        seen |= look.labels
        tiles.append((split.items[index].id, _pair(look)))

    columns = 1 if len(tiles) < 3 else 2
    tile_width = 2 * cell + _GAP
    heights = [_LINE + (tile.height if not isinstance(tile, str) else 5 * _LINE) + _GAP for _, tile in tiles]
    rows = [max(heights[start : start + columns]) for start in range(0, len(tiles), columns)]
    legend = _legend_entries(split, seen)
    width = columns * (tile_width + _GAP) + _GAP
    per_line = max(1, (width - _GAP) // 180)
    legend_lines = -(-len(legend) // per_line)
    sheet = Image.new("RGB", (width, sum(rows) + legend_lines * _LINE + 2 * _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (name, tile) in enumerate(tiles):
        x = _GAP + number % columns * (tile_width + _GAP)
        y = _GAP + sum(rows[: number // columns])
        pen.text((x, y + 3), name, fill=_INK)
        if isinstance(tile, str):
            pen.multiline_text((x, y + _LINE), _wrap(tile, tile_width // 7), fill=_FAULT)
        else:
            sheet.paste(tile, (x, y + _LINE))
    for number, (name, color) in enumerate(legend):
        x, y = _GAP + number % per_line * 180, _GAP + sum(rows) + number // per_line * _LINE
        pen.rectangle((x, y + 3, x + 14, y + 15), fill=color, outline=_INK)
        pen.text((x + 20, y + 3), name[:24], fill=_INK)
    return sheet


def _pair(look: Look) -> Image:
    from PIL import Image

    gap = np.full((look.input.shape[0], _GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([look.input, gap, look.target], axis=1))


def _legend_entries(split: Split, seen: set[int]) -> list[tuple[str, tuple[int, int, int]]]:
    space = split.space
    entries = [(name, space.palette[i]) for i, name in enumerate(space.names) if i in seen]
    entries = entries[:_MOST_CLASSES]
    return [*entries, ("(not labelled)", split.unlabelled)] if space.ignore_index in seen else entries


def _wrap(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width, max_lines=5, placeholder=" ..."))
