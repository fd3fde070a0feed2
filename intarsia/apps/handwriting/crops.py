"""Lines as pictures of their own, set level along their baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.files import make_folder
from intarsia.media.images import write_image
from intarsia.media.source import PixelSource

Points = NDArray[np.float64]

_NAMES = "[0-9]" * 4 + ".png"


def write_crops(reader: PixelSource, lines: Sequence[tuple[Points, Points]], folder: Path) -> None:
    """Write one PNG a line, named 0001.png, 0002.png, ... in the order of the lines.

    The page is read once, from top to bottom, a line's rows at a time.

    Args:
        reader: the page.
        lines: baseline and outline of each.
        folder: target; crops of an earlier run are removed.

    Raises:
        DataError: the page cannot be read, or a file cannot be written.
    """
    make_folder(folder)
    for old in folder.glob(_NAMES):
        old.unlink()
    for index, crop in level_crops(reader, lines):
        write_image(folder / f"{index + 1:04d}.png", crop)


def level_crops(reader: PixelSource, lines: Sequence[tuple[Points, Points]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Cut out lines so that their baselines are level.

    Yields:
        Index of the line, and (h, w, 3) uint8 RGB; the lines come as they lie on the page, from top to bottom.
    """
    spans = []
    for index, (_, outline) in enumerate(lines):
        top = int(np.clip(np.floor(outline[:, 1].min()) - 1, 0, reader.height - 1))
        bottom = int(np.clip(np.ceil(outline[:, 1].max()) + 1, top + 1, reader.height))
        spans.append((top, bottom, index))
    spans.sort()
    # Windows may not go upwards at their lower end either.
    lower = np.maximum.accumulate([bottom for _, bottom, _ in spans]) if spans else np.zeros(0, np.int64)
    windows = reader.bands([(top, int(bottom)) for (top, _, _), bottom in zip(spans, lower, strict=True)])
    for window, (top, _, index) in zip(windows, spans, strict=True):
        baseline, outline = lines[index]
        yield index, _level(reader.picture(window), baseline - [0, top], outline - [0, top])


def _level(window: NDArray[np.uint8], baseline: Points, outline: Points) -> NDArray[np.uint8]:
    """The part within an outline, each column moved so that the baseline is level."""
    left, right = float(outline[:, 0].min()), float(outline[:, 0].max())
    first = max(0, int(left) - 1)  # OpenCV moves no more than 32,767 columns
    window = window[:, first : int(right) + 2]
    x = np.arange(max(1, round(right - left)), dtype=np.float64) + left
    foot = np.interp(x, baseline[:, 0], baseline[:, 1])
    offset = outline[:, 1] - np.interp(outline[:, 0], baseline[:, 0], baseline[:, 1])
    above, below = float(offset.min()), float(offset.max())
    rows = np.arange(max(1, round(below - above)), dtype=np.float64) + above
    across = np.broadcast_to(x - first, (len(rows), len(x))).astype(np.float32)
    down = (foot + rows[:, None]).astype(np.float32)
    crop = cv2.remap(window, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)
