"""Index masks in other colours, without decoding them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from intarsia.labels import LabelSpace

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3  # colour types of PNG


def painted(mask: bytes, space: LabelSpace) -> bytes | None:
    """Give an index mask the palette of a label space; its compressed pixels stay as they are.

    Args:
        mask: a PNG whose values are class indices; it was decoded before, so it is known to be whole.
        space: the classes.

    Returns:
        A palette PNG; None where a mask of this form cannot have one as it is: other than 8 bits a pixel.
    """
    if len(space) > 256 or space.ignore_index > 255 or not mask.startswith(_SIGNATURE):
        return None
    chunks = list(_chunks(mask))
    kind, head = chunks[0]
    if kind != b"IHDR" or len(head) != 13 or head[8] != 8 or head[9] not in (_GRAY, _PALETTE):
        return None
    pixels = [chunk for chunk in chunks if chunk[0] == b"IDAT"]
    header = head[:9] + bytes([_PALETTE]) + head[10:]
    kept = [(b"IHDR", header), (b"PLTE", space.colors().tobytes()), *pixels, (b"IEND", b"")]
    return _SIGNATURE + b"".join(_packed(*chunk) for chunk in kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def _packed(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
