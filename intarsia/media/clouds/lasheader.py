"""The header of LAS and LAZ, checked before a library acts on its numbers (LAS 1.4 R15, section 2.4; LASzip's VLR).

A library that believes a damaged header reads four thousand million records that are not there, or asks for the memory
of as many points, which ends the process.
"""

from __future__ import annotations

import struct
from pathlib import Path

from intarsia.errors import DataError
from intarsia.media.clouds.lazchunks import OWN_SIZES, Compression, check_chunks, damaged

_HEADER, _HEADER_14 = 227, 375
_VLR, _EVLR = 54, 60
_LASZIP = (b"laszip encoded", 22204)
_RECORD = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
_MOST_IN_CHUNK = 16_000_000  # LASzip's own is 50,000
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
        raise damaged(path, f"point format {kind} with records of {length} bytes")
    count = _field("<I", head, 107)
    if head[25] >= 4 and len(head) == _HEADER_14:
        count = _field("<Q", head, 247)
        first, extended = _field("<Q", head, 235), _field("<I", head, 243)
        if extended and first + extended * _EVLR > size:
            raise damaged(path, f"{extended:,} extended records behind byte {first:,}")
    least = _LEAST_LAZ_BYTES if head[104] & _COMPRESSED else float(length)
    if count * least > size:
        raise DataError(
            f"{path}: its header claims {count:,} points, but {size:,} bytes cannot hold them; the file is damaged or "
            "truncated, fetch it again"
        )
    if head[104] & _COMPRESSED and count:
        compression = _read_laszip(path, vlrs or b"", _field("<I", head, 100), length)
        check_chunks(path, compression, points=_field("<I", head, 96), count=count)


def _vlr_bytes(path: Path, head: bytes, size: int) -> int:
    start, points, count = _field("<H", head, 94), _field("<I", head, 96), _field("<I", head, 100)
    if not _HEADER <= start <= points <= size:
        raise damaged(path, f"a header of {start} bytes, points from byte {points:,} on")
    if count * _VLR > points - start:
        raise damaged(path, f"{count:,} variable length records in {points - start:,} bytes")
    return points - start


def _read_laszip(path: Path, records: bytes, count: int, length: int) -> Compression:
    """The compressor's own record: what a point consists of, and how many make a chunk."""
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
        chunk, number = _field("<I", body, 12), _field("<H", body, 32)
        items = tuple(
            struct.unpack_from("<HH", body, 34 + 6 * item) for item in range(min(number, (len(body) - 34) // 6))
        )
        if not 0 < chunk <= _MOST_IN_CHUNK and chunk != OWN_SIZES:
            raise damaged(path, f"chunks of {chunk:,} points")
        if len(items) != number or sum(size for _, size in items) != length:
            raise damaged(path, f"compressed items of {sum(size for _, size in items)} bytes in records of {length}")
        compression = Compression(body, chunk, items)
        if not compression.known:
            raise damaged(path, f"compressed items (kind, bytes) {', '.join(map(str, items))}")
        return compression
    raise damaged(path, "no record of its compression")


def _field(form: str, content: bytes, place: int) -> int:
    value: int = struct.unpack_from(form, content, place)[0]
    return value
