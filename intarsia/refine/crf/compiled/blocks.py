"""How the compiled loops store (C, N) values: blocks of classes, in each block one short row an element."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intarsia.refine.crf.compiled.simd import add, add_scaled, broadcast, exp2, largest, load, store, total

Floats = NDArray[np.float32]

WIDEST = 16
_ALIGNMENT = 64  # bytes of a cache line: a row of 16 lies in one
_CHUNK = 8192  # elements that are transposed at a time, so that they stay in cache


class Blocks:
    """Values of C classes for each of N elements.

    Classes are stored in blocks of 16; what is left over in a last block of 4, 8 or 16. Unused lanes come last.

    Args:
        classes: C.
        count: N.

    Attributes:
        lanes: the width of each block.
        flat: float32, block after block, each of N rows.
    """

    def __init__(self, classes: int, count: int) -> None:
        full, rest = divmod(classes - 1, WIDEST)
        self.classes, self.count = classes, count
        self.lanes = [WIDEST] * full + [next(width for width in (4, 8, WIDEST) if rest < width)]
        ends = np.cumsum([0, *self.lanes]) * count
        self.flat = _aligned(int(ends[-1]))
        self._spans = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))

    def block(self, index: int, first: int = 0, last: int | None = None) -> Floats:
        """Rows `first` to `last` of one block, flat."""
        start, end = self._spans[index]
        lanes = self.lanes[index]
        return self.flat[start + first * lanes : end if last is None else start + last * lanes]

    def write(self, values: Floats, factor: float, unused: float) -> None:
        """Take `factor` times (C, N) values; the lanes without a class get `unused`."""
        for index, (lanes, rows) in enumerate(zip(self.lanes, self._class_rows(), strict=True)):
            block = self.block(index).reshape(-1, lanes)
            block[:, len(rows) :] = unused
            for first in range(0, self.count, _CHUNK):
                part = values[rows.start : rows.stop, first : first + _CHUNK].T
                np.multiply(part, np.float32(factor), out=block[first : first + _CHUNK, : len(rows)])

    def read(self, out: Floats, rows: Sequence[int]) -> None:
        """Put class i into ``out[rows[i]]``; `out` is (at least C, N)."""
        for index, (lanes, classes) in enumerate(zip(self.lanes, self._class_rows(), strict=True)):
            block = self.block(index).reshape(-1, lanes)
            for first in range(0, self.count, _CHUNK):
                for lane, label in enumerate(classes):
                    out[rows[label], first : first + _CHUNK] = block[first : first + _CHUNK, lane]

    def mix(self, matrix: Floats, out: Blocks) -> None:
        """Add the product of a (C, C) matrix and each element's values to those in `out`."""
        width = sum(self.lanes)
        padded = np.zeros((width, width), np.float32)
        padded[: self.classes, : self.classes] = np.asarray(matrix).T
        starts = np.cumsum([0, *self.lanes])
        for source, lanes in enumerate(self.lanes):
            values = self.block(source).reshape(-1, lanes)
            for target, width in enumerate(self.lanes):
                part = padded[starts[source] : starts[source + 1], starts[target] : starts[target + 1]]
                out.block(target).reshape(-1, width)[:] += values @ part

    def _class_rows(self) -> list[range]:
        return [range(start, min(start + WIDEST, self.classes)) for start in range(0, self.classes, WIDEST)]


def _aligned(size: int) -> Floats:
    """Uninitialised float32 that start at a cache line."""
    raw = np.empty(size + _ALIGNMENT // 4, np.float32)
    start = -raw.ctypes.data % _ALIGNMENT // 4
    return raw[start : start + size]


@cache
def softmax(lanes: int) -> Any:
    """Compiled softmax over blocks whose last has `lanes`."""

    @njit(cache=True, nogil=True)
    def kernel(logits: Floats, count: int, full: int, out: Floats, stride: int, first: int) -> None:
        """Softmax to the base 2 over all classes; 0 for those, and for the lanes, that are less likely than 2^-100.

        Args:
            logits: `full` blocks of 16 lanes and the last, of `count` rows each; overwritten.
            count: elements.
            full: number of blocks before the last.
            out: blocks of `stride` rows each, of which `count` are written.
            stride: elements of `out`.
            first: the element of `out` to start at.
        """
        last, out_last = full * count * WIDEST, full * stride * WIDEST
        none, zero = broadcast(np.float32(0), WIDEST), broadcast(np.float32(0), lanes)
        for i in range(count):
            tail = load(logits, last + i * lanes, lanes)
            top = largest(tail)
            for block in range(full):
                top = max(top, largest(load(logits, (block * count + i) * WIDEST, WIDEST)))
            tail = exp2(add(tail, broadcast(-top, lanes)))
            mass = total(tail)
            shift = broadcast(-top, WIDEST)
            for block in range(full):
                place = (block * count + i) * WIDEST
                power = exp2(add(load(logits, place, WIDEST), shift))
                mass += total(power)
                store(logits, place, power)
            scale = np.float32(1) / mass
            store(out, out_last + (first + i) * lanes, add_scaled(zero, scale, tail))
            for block in range(full):
                power = load(logits, (block * count + i) * WIDEST, WIDEST)
                store(out, (block * stride + first + i) * WIDEST, add_scaled(none, scale, power))

    return kernel
