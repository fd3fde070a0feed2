"""A contact sheet: a few samples of a split, as they look and as they are labelled, with the class colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.splits import Split
from intarsia.errors import DataError
from intarsia.labels import LabelArray
from intarsia.media.clouds.render import draw, view
from intarsia.result.renders import blend

if TYPE_CHECKING:
    from PIL.Image import Image

_GAP = 8
_LINE = 20
_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_FAULT = (190, 30, 30)
_UNLABELLED = (225, 225, 225)  # of points: white is where there are none
_MOST_CLASSES = 60


def contact_sheet(split: Split | CloudSplit, *, count: int = 6, cell: int = 320, opacity: float = 0.5) -> Image:
    """Draw samples spread over the split: photo left, overlay right, and below a legend of the classes that occur.

    Clouds are seen from above: left in their own colours, or else the higher the brighter, right in the classes'.
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
            drawn, labels = _tile(split, index, cell, opacity)
        except DataError as error:
            tiles.append((split.items[index].id, str(error)))
            continue
        seen |= labels
        tiles.append((split.items[index].id, drawn))

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


def _tile(split: Split | CloudSplit, index: int, cell: int, opacity: float) -> tuple[Image, set[int]]:
    """A sample as it looks beside its labels, and the labels that occur."""
    if isinstance(split, CloudSplit):
        cloud, target = split.read(index)
        colors = split.space.colors()
        colors[len(split.space) :] = _UNLABELLED
        seen = view(cloud.xyz[:, 0], cloud.xyz[:, 1], cloud.xyz[:, 2], cell)
        left, right = draw(seen, cloud.colors()), draw(seen, colors[target])
    else:
        image, target = split.read(index)
        left, small = _shrink(image, target, cell)
        right = blend(left, small, split.space, opacity)
    return _pair(left, right), set(np.unique(target).tolist())


def _shrink(image: NDArray[np.uint8], target: LabelArray, cell: int) -> tuple[NDArray[np.uint8], LabelArray]:
    from PIL import Image

    height, width = target.shape
    scale = cell / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    rows = ((np.arange(size[0]) + 0.5) * height / size[0]).astype(np.intp)[:, None]
    columns = ((np.arange(size[1]) + 0.5) * width / size[1]).astype(np.intp)
    labels: LabelArray = target[rows, columns]
    if scale >= 1:
        return image[rows, columns], labels
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX)), labels


def _pair(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> Image:
    from PIL import Image

    gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([left, gap, right], axis=1))


def _legend_entries(split: Split | CloudSplit, seen: set[int]) -> list[tuple[str, tuple[int, int, int]]]:
    space = split.space
    entries = [(name, space.palette[i]) for i, name in enumerate(space.names) if i in seen]
    entries = entries[:_MOST_CLASSES]
    bare = _UNLABELLED if isinstance(split, CloudSplit) else _PAPER
    return [*entries, ("(not labelled)", bare)] if space.ignore_index in seen else entries


def _wrap(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width, max_lines=5, placeholder=" ..."))
