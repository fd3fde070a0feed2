"""Label Studio's run lengths of brushes: a stream of bits that codes the bytes of an RGBA picture.

A header of 32 bits (how many values), 5 bits (their width - 1) and four times 4 bits (widths - 1 of run lengths); then
runs: one bit "repeated", two bits that choose a width, the length - 1, and one value, or where nothing repeats as many
as the length says (thi.ng/rle-pack, which Label Studio uses). A pixel belongs to the brush by its alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.rle import MOST_PIXELS, Counts, runs
from intarsia.errors import DataError

_WIDTHS = (4, 8, 12, 16)
_CHANNELS = 4
_ALPHA = 3


def decode(codes: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels (H, W) of a brush: those that are more than half opaque.

    Args:
        codes: the bytes of the stream, as numbers.
        size: (H, W) of the image.

    Raises:
        DataError: no bytes, cut off, or of another size.
    """
    try:
        stream = np.array(codes, np.uint8) if all(0 <= code <= 255 for code in codes) else np.zeros(0, np.uint8)
    except (TypeError, ValueError, OverflowError):
        raise DataError("brush run lengths that are not a list of bytes") from None
    bits = "".join(map("{:08b}".format, stream.tolist()))
    place = 0

    def take(count: int) -> int:
        nonlocal place
        if place + count > len(bits):
            raise DataError("brush run lengths that are cut off")
        place += count
        return int(bits[place - count : place], 2)

    total = take(32)
    height, width = size
    if total != height * width * _CHANNELS or height * width > MOST_PIXELS:
        raise DataError(f"brush run lengths of {total // _CHANNELS} pixels for an image of {width}x{height}")
    word = take(5) + 1
    widths = [take(4) + 1 for _ in range(_CHANNELS)]
    values = np.zeros(total, np.uint32)
    done = 0
    while done < total:
        repeated = take(1)
        end = min(done + 1 + take(widths[take(2)]), total)
        if repeated:
            values[done:end] = take(word)
        else:
            values[done:end] = [take(word) for _ in range(end - done)]
        done = end
    alpha = values.reshape(height, width, _CHANNELS)[..., _ALPHA]
    return np.asarray(alpha > (1 << word >> 1) - 1)


def encode(bitmap: NDArray[np.bool_]) -> list[int]:
    """The bytes of a brush that covers the pixels (H, W)."""
    head = f"{bitmap.size * _CHANNELS:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in _WIDTHS)
    lengths, inside = _codes(runs(bitmap, "C") * _CHANNELS)
    index = np.searchsorted(1 << np.array(_WIDTHS), lengths)
    sizes = 3 + np.array(_WIDTHS)[index] + 8  # bits of a code: repeated, width, length - 1, value
    codes = (0b100 | index) << (sizes - 3) | (lengths - 1) << 8 | np.where(inside, 255, 0)
    ends = len(head) + np.cumsum(sizes)
    bits = np.zeros(int(ends[-1]) if len(ends) else len(head), np.uint8)
    bits[: len(head)] = [int(bit) for bit in head]
    for place in range(3 + _WIDTHS[-1] + 8):
        has = sizes > place
        bits[ends[has] - 1 - place] = codes[has] >> place & 1
    packed: list[int] = np.packbits(bits).tolist()
    return packed


def _codes(counts: Counts) -> tuple[Counts, NDArray[np.bool_]]:
    """Runs of bytes, none longer than a code can say and none empty, and whether each is inside."""
    longest = 1 << _WIDTHS[-1]
    parts = -(-counts // longest)
    lengths = np.full(int(parts.sum()), longest, np.int64)
    some = parts > 0
    lengths[np.cumsum(parts)[some] - 1] = (counts - (parts - 1) * longest)[some]
    return lengths, np.repeat(np.arange(len(counts)) % 2 == 1, parts)
