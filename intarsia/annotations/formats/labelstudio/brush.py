"""Label Studio's run lengths of brushes: a stream of bits that codes the bytes of an RGBA picture.

A header of 32 bits (how many values), 5 bits (their width - 1) and four times 4 bits (widths - 1 of run lengths); then
runs: one bit "repeated", two bits that choose a width, the length - 1, and one value, or where nothing repeats as many
as the length says (thi.ng/rle-pack, which Label Studio uses). A pixel belongs to the brush by its alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.rle import MOST_PIXELS, runs
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
    total = bitmap.size * _CHANNELS
    parts = [f"{total:032b}", f"{7:05b}", *(f"{width - 1:04b}" for width in _WIDTHS)]
    for number, count in enumerate(runs(bitmap, "C").tolist()):
        value = "1" * 8 if number % 2 else "0" * 8
        left = count * _CHANNELS
        while left:
            length = min(left, 1 << _WIDTHS[-1])
            index = next(index for index, width in enumerate(_WIDTHS) if length <= 1 << width)
            parts.append(f"1{index:02b}{length - 1:0{_WIDTHS[index]}b}{value}")
            left -= length
    bits = "".join(parts)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
