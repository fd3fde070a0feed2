"""The chunks of a LAZ file, compared with the file before any is decoded (LASzip's format, versions 2 and 3).

A decoder believes the sizes that a chunk names, and asks for gigabytes of memory when one of them is damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from intarsia.errors import DataError, require

OWN_SIZES = 0xFFFFFFFF
"""Points of a chunk where each chunk tells its own number, as in COPC."""
_PLACE = 8  # bytes before the first chunk: where their table lies
# Bytes of each kind of item: POINT10, GPSTIME11, RGB12, WAVEPACKET13; POINT14, RGB14, RGBNIR14, WAVEPACKET14, which are
# stored in so many layers. BYTE and BYTE14 have any size; BYTE14 has a layer a byte.
_SIZES = {6: 20, 7: 8, 8: 6, 9: 29, 10: 30, 11: 6, 12: 8, 13: 29}
_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}
_BYTE, _BYTE14 = 0, 14


@dataclass(frozen=True)
class Compression:
    """LASzip's own record.

    Attributes:
        record: its bytes.
        chunk: points of a chunk, or `OWN_SIZES`.
        items: kind and size in bytes of each part of a point.
    """

    record: bytes
    chunk: int
    items: tuple[tuple[int, int], ...]

    @property
    def layered(self) -> bool:
        """Tell whether chunks are stored layer by layer, as those of point formats 6 to 10 are."""
        return all(kind in _LAYERS or kind == _BYTE14 for kind, _ in self.items)

    @property
    def known(self) -> bool:
        """Tell whether its parts are ones that LASzip has, all of them of one generation."""
        sizes = all(kind in (_BYTE, _BYTE14) or _SIZES.get(kind) == size for kind, size in self.items)
        return sizes and (self.layered or not any(kind in _LAYERS or kind == _BYTE14 for kind, _ in self.items))


def check_chunks(path: Path, compression: Compression, *, points: int, count: int) -> None:
    """Compare the table of chunks, and what each chunk says of itself, with the file.

    Args:
        path: the file.
        compression: how it is compressed.
        points: byte where the compressed points begin.
        count: number of points by the header.

    Raises:
        DataError: the numbers cannot be true; says which.
    """
    with path.open("rb") as stream:
        table = _table(
            path, stream, points, count if compression.chunk == OWN_SIZES else -(-count // compression.chunk)
        )
        lazrs = require("lazrs", "clouds")
        stream.seek(points)
        chunks: Sequence[tuple[int, int]] = lazrs.read_chunk_table(stream, lazrs.LazVlr(compression.record))
        held, size = sum(number for number, _ in chunks), sum(length for _, length in chunks)
        if size > table - points - _PLACE:
            raise damaged(path, f"chunks of {size:,} bytes in {table - points - _PLACE:,}")
        if held < count:
            raise damaged(path, f"{count:,} points in chunks of {held:,}")
        if compression.layered:
            _check_layers(path, stream, compression, points + _PLACE, [length for _, length in chunks])


def damaged(path: Path, what: str) -> DataError:
    """The error of a file whose header claims something that cannot be."""
    return DataError(f"{path}: not a readable LAS or LAZ file, it is truncated or damaged (its header claims {what})")


def _table(path: Path, stream: BinaryIO, points: int, most: int) -> int:
    """Find the table of chunks, which stands before the points (or, if it was not known then, at the end)."""
    size = stream.seek(0, 2)
    stream.seek(points)
    start = stream.read(_PLACE)
    table = int.from_bytes(start, "little", signed=True) if len(start) == _PLACE else size
    if table == -1:
        stream.seek(max(0, size - 8))
        table = int.from_bytes(stream.read(8), "little", signed=True)
    if not points + _PLACE <= table <= size - 8:
        raise damaged(path, f"a table of chunks at byte {table:,} of {size:,}")
    stream.seek(table + 4)
    chunks = int.from_bytes(stream.read(4), "little")
    if chunks > most + 1:
        raise damaged(path, f"{chunks:,} chunks where {most:,} hold all points")
    return table


def _check_layers(path: Path, stream: BinaryIO, compression: Compression, start: int, lengths: list[int]) -> None:
    """A chunk of layers is its first point as it is, the number of its points, the layers' sizes, and the layers."""
    layers = sum(size if kind == _BYTE14 else _LAYERS[kind] for kind, size in compression.items)
    first = sum(size for _, size in compression.items) + 4
    head = first + 4 * layers
    for number, length in enumerate(lengths, start=1):
        stream.seek(start)
        content = stream.read(head)
        start += length
        if not length:
            continue  # some writers close with an empty one
        if len(content) < head or length < head:
            raise damaged(path, f"a chunk of {length:,} bytes")
        said = head + sum(struct.unpack_from(f"<{layers}I", content, first))
        if said > length:
            raise damaged(path, f"layers of {said:,} bytes in chunk {number:,} of {length:,}")
