"""The header of LAS and LAZ, checked before a library acts on its numbers (LAS 1.4 R15, section 2.4; LASzip's VLR).

A library that believes a damaged header reads four thousand million records that are not there, or asks for the memory
of as many points, which ends the process.
"""

from __future__ import annotations

import struct
from pathlib import Path

from intarsia.errors import DataError

_HEADER, _HEADER_14 = 227, 375
_VLR, _EVLR = 54, 60
_LASZIP = (b"laszip encoded", 22204)
_RECORD = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
_MOST_IN_CHUNK = 16_000_000  # LASzip's own is 50,000
_OWN_CHUNKS = 0xFFFFFFFF  # each chunk tells its size, as in COPC
_COMPRESSED = 0x80
# LAZ packs a cloud of equal points to about a thousandth, at most.
_LEAST_LAZ_BYTES = 0.02


def check_las(path: Path) -> None:
    """Read the header's numbers and compare them with the file.

    Raises:
        DataError: it is no LAS, or its numbers cannot be true; names the number.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(_HEADER_14)
            if len(head) < _HEADER or head[:4] != b"LASF":
                raise DataError(f"{path}: not a readable LAS or LAZ file, it is truncated or damaged (no LAS header)")
            vlrs = stream.seek(_field("<H", head, 94)) and stream.read(_vlr_bytes(path, head, size))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    kind, length = head[104] & 0x3F, _field("<H", head, 105)
    if kind not in _RECORD or length < _RECORD[kind]:
        raise _damaged(path, f"point format {kind} with records of {length} bytes")
    count = _field("<I", head, 107)
    if head[25] >= 4 and len(head) == _HEADER_14:
        count = _field("<Q", head, 247)
        first, extended = _field("<Q", head, 235), _field("<I", head, 243)
        if extended and first + extended * _EVLR > size:
            raise _damaged(path, f"{extended:,} extended records behind byte {first:,}")
    least = _LEAST_LAZ_BYTES if head[104] & _COMPRESSED else float(length)
    if count * least > size:
        raise DataError(
            f"{path}: its header claims {count:,} points, but {size:,} bytes cannot hold them; the file is damaged or "
            "truncated, fetch it again"
        )
    if head[104] & _COMPRESSED and count:
        chunk = _check_laszip(path, vlrs or b"", _field("<I", head, 100), length)
        _check_chunks(path, _field("<I", head, 96), size, count if chunk == _OWN_CHUNKS else -(-count // chunk))


def _vlr_bytes(path: Path, head: bytes, size: int) -> int:
    start, points, count = _field("<H", head, 94), _field("<I", head, 96), _field("<I", head, 100)
    if not _HEADER <= start <= points <= size:
        raise _damaged(path, f"a header of {start} bytes, points from byte {points:,} on")
    if count * _VLR > points - start:
        raise _damaged(path, f"{count:,} variable length records in {points - start:,} bytes")
    return points - start


def _check_laszip(path: Path, records: bytes, count: int, length: int) -> int:
    """The compressor's own record: what a point consists of, and how many make a chunk, which is returned."""
    place = 0
    for _ in range(count):
        if place + _VLR > len(records):
            break
        name = records[place + 2 : place + 18].rstrip(b"\0")
        number, size = _field("<H", records, place + 18), _field("<H", records, place + 20)
        body = records[place + _VLR : place + _VLR + size]
        place += _VLR + size
        if (name, number) != _LASZIP:
            continue
        if len(body) < 34:
            break
        chunk, items = _field("<I", body, 12), _field("<H", body, 32)
        sizes = [_field("<H", body, 36 + 6 * item) for item in range(items) if 38 + 6 * item <= len(body)]
        if not 0 < chunk <= _MOST_IN_CHUNK and chunk != _OWN_CHUNKS:
            raise _damaged(path, f"chunks of {chunk:,} points")
        if len(sizes) != items or sum(sizes) != length:
            raise _damaged(path, f"compressed items of {sum(sizes)} bytes in records of {length}")
        return chunk
    raise _damaged(path, "no record of its compression")


def _check_chunks(path: Path, points: int, size: int, most: int) -> None:
    """The table of chunks, whose place stands before the points (or, if it was not known then, at the file's end)."""
    with path.open("rb") as stream:
        stream.seek(points)
        start = stream.read(8)
        table = int.from_bytes(start, "little", signed=True) if len(start) == 8 else size
        if table == -1:
            stream.seek(max(0, size - 8))
            table = int.from_bytes(stream.read(8), "little", signed=True)
        if not points <= table <= size - 8:
            raise _damaged(path, f"a table of chunks at byte {table:,} of {size:,}")
        stream.seek(table + 4)
        chunks = int.from_bytes(stream.read(4), "little")
    if chunks > most + 1:
        raise _damaged(path, f"{chunks:,} chunks where {most:,} hold all points")


def _field(form: str, content: bytes, place: int) -> int:
    value: int = struct.unpack_from(form, content, place)[0]
    return value


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path}: not a readable LAS or LAZ file, it is truncated or damaged (its header claims {what})")
