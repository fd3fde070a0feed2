"""Counting frames and pages before anything goes through them: an empty one takes few bytes, and long to look at."""

from __future__ import annotations

import struct
from typing import IO

MOST_FRAMES = 20_000
_FRAME, _EXTENSION = 0x2C, 0x21
_LOOKED_AT = 1 << 26  # bytes; frames that are no bombs fill them before there are too many


def check_gif(file: IO[bytes]) -> None:
    """Hop from block to block (GIF89a, appendix A), as far as there may be frames.

    Raises:
        ValueError: there are more than `MOST_FRAMES`.
    """
    start = file.tell()
    data = file.read(_LOOKED_AT)
    file.seek(start)
    place, frames = _behind_palette(data, 10, 13), 0
    while place + 10 < len(data) and data[place] in (_FRAME, _EXTENSION):
        if data[place] == _FRAME:
            frames += 1
            if frames > MOST_FRAMES:
                raise ValueError(f"it has more than {MOST_FRAMES:,} frames; make a video of it")
            place = _behind_palette(data, place + 9, place + 10) + 1  # and the size of a code
        else:
            place += 2
        while place < len(data) and data[place]:
            place += data[place] + 1
        place += 1


def check_tiff(file: IO[bytes]) -> None:
    """Hop from directory to directory (TIFF 6.0, section 2; BigTIFF), as far as there may be pages.

    Raises:
        ValueError: there are more than `MOST_FRAMES`.
    """
    start = file.tell()
    head = file.read(16)
    order, big = ("<" if head[:2] == b"II" else ">"), 0x2B in head[2:4]
    count, entry, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    place, seen = _number(order + link, head[8:] if big else head[4:8]), set[int]()
    while place and place not in seen:
        if len(seen) == MOST_FRAMES:
            raise ValueError(f"it has more than {MOST_FRAMES:,} pages; cut it into several files")
        seen.add(place)
        file.seek(place)
        entries = _number(order + count, file.read(struct.calcsize(count)))
        file.seek(place + struct.calcsize(count) + entry * entries)
        place = _number(order + link, file.read(struct.calcsize(link)))
    file.seek(start)


def _number(form: str, data: bytes) -> int:
    """The number at a place; 0, which ends the chain, where the file has ended."""
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else 0


def _behind_palette(data: bytes, flags: int, place: int) -> int:
    """The place behind the colours that some flags tell of."""
    told = data[flags] if flags < len(data) else 0
    return place + (3 << (told & 7) + 1 if told & 0x80 else 0)
