"""Tiles over images too large for one pass.

Nothing here grows with classes x pixels: tiles are joined at the stride of the network's logits (usually a quarter of
the image), one row of tiles at a time; `runtimes.upsampling` resizes and decides a joined row in bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from intarsia.runtimes.upsampling import Span
from intarsia.stopping import checkpoint

# Tiles start at multiples of the deepest stride of the networks, so that every tile samples the same grid.
UNIT = 32

Floats = NDArray[np.float32]


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Cover 0..length with evenly spread tiles that share at least `overlap`.

    Every tile starts at a multiple of `UNIT`; the last is up to `UNIT - 1` longer than `tile`.
    """
    if length < tile + UNIT:
        return [(0, length)]
    count = -(-(length - overlap) // (tile - overlap))
    starts = sorted({index * (length - tile) // (count - 1) // UNIT * UNIT for index in range(count)})
    return [(start, start + tile) for start in starts[:-1]] + [(starts[-1], length)]


def exact_overlap(margin: int, stride: int) -> int:
    """Pixels, a multiple of `UNIT`, that tiles must share so that each output lies `margin` pixels inside one of them.

    Args:
        margin: see `Runtime.margin`.
        stride: pixels per logit.
    """
    return -(-2 * stride * _cells(margin, stride) // UNIT) * UNIT


def taper(span: Span, length: int, overlap: int, stride: int, margin: int = 0) -> Floats:
    """Weights of one tile's logits along one axis.

    Next to another tile, the outer quarter of the overlap gets weight 0 because padding falsifies it, the middle half
    rises as a raised cosine, the rest is 1. A network with a margin is wrong within it and exact behind it, so that the
    weights are 0 there and 1 from there on. At the image's own border all is 1. Neighbours share at least `overlap`
    (with a margin, `exact_overlap`), so the weights of all tiles never add up to 0.

    Returns:
        float32, one weight for each of the span's logits.
    """
    count = _cells(span[1] - span[0], stride)
    weights = np.ones(count, dtype=np.float32)
    zeros, rise = (_cells(margin, stride), 0) if margin else (overlap // 4 // stride, overlap // 2 // stride)
    ramp = np.zeros(zeros + rise, dtype=np.float32)
    ramp[zeros:] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / max(rise, 1))
    if span[0] > 0:
        weights[: len(ramp)] = ramp
    if span[1] < length:
        weights[count - len(ramp) :] *= ramp[::-1]
    return weights


def _cells(pixels: int, stride: int) -> int:
    return -(-pixels // stride)


def final_cells(rows: list[Span], stride: int) -> list[int]:
    """How many rows of logits become final after each row of tiles."""
    ends = [row[0] // stride for row in rows[1:]] + [_cells(rows[-1][1], stride)]
    return [end - row[0] // stride for row, end in zip(rows, ends, strict=True)]


def join_tiles(
    windows: Iterator[NDArray[np.uint8]],
    rows: list[Span],
    columns: list[Span],
    overlap: int,
    stride: int,
    network: Callable[[NDArray[np.uint8], Span, Span], Floats],
    margin: int = 0,
    stretch: Span | None = None,
) -> Iterator[Floats]:
    """Run the network on every tile and blend the logits.

    Args:
        windows: for each of `rows` (of the stretch), the image's rows of that span, (span, W, 3) uint8.
        rows: vertical spans, see `spans`.
        columns: horizontal spans.
        overlap: pixels that neighbours share at least.
        stride: pixels per logit.
        network: from pixels (h, w, 3) and their spans of rows and columns to logits
            (1, C, ceil(h / stride), ceil(w / stride)) in float32.
        margin: the network's, see `taper`.
        stretch: the rows of tiles to go through; None: all of them.

    Yields:
        For each row of tiles the logits that are final after it, (1, C, n, ceil(W / stride)); together they are the
        logits of the whole image. Those at the top of a stretch lack what tiles above it would add.
    """
    if len(rows) == len(columns) == 1:  # nothing to blend
        yield network(next(windows), rows[0], columns[0])
        return
    height, width = rows[-1][1], columns[-1][1]
    across = [taper(column, width, overlap, stride, margin) for column in columns]
    kept: tuple[Floats, Floats] | None = None
    finals = list(zip(rows, final_cells(rows, stride), strict=True))
    for row, final in finals if stretch is None else finals[slice(*stretch)]:
        total, weight = _row_of_tiles(next(windows), row, columns, across, stride, network)
        down = taper(row, height, overlap, stride, margin)[:, None]
        total *= down
        weight = weight * down
        if kept is not None:
            total[:, :, : kept[0].shape[2]] += kept[0]
            weight[: len(kept[1])] += kept[1]
        kept = total[:, :, final:].copy(), weight[final:].copy()
        with np.errstate(invalid="ignore"):  # at the top of a stretch there may be cells that no tile of it knows
            total[:, :, :final] /= weight[:final]
        yield total[:, :, :final]
        del total  # or two rows of tiles would be in memory while the next one is computed


def _row_of_tiles(
    window: NDArray[np.uint8],
    row: Span,
    columns: list[Span],
    across: list[Floats],
    stride: int,
    network: Callable[[NDArray[np.uint8], Span, Span], Floats],
) -> tuple[Floats, Floats]:
    """Weighted sum of one row's logits (1, C, h, w), and the sum of the weights (w,)."""
    cells = _cells(columns[-1][1], stride)
    total, weight = np.empty(0, dtype=np.float32), np.zeros(cells, dtype=np.float32)
    for (left, right), taper_weights in zip(columns, across, strict=True):
        checkpoint()  # a wide map has many tiles in a row
        logits = network(window[:, left:right], row, (left, right))
        if not total.size:
            total = np.zeros((*logits.shape[:3], cells), dtype=np.float32)
        place = slice(left // stride, left // stride + len(taper_weights))
        total[..., place] += logits * taper_weights
        weight[place] += taper_weights
    return total, weight
