"""How many points a file holds, by its header alone, which is compared with the file before anything is read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from intarsia.errors import DataError
from intarsia.media.clouds import open_cloud
from intarsia.media.clouds.scans import NUSCENES

_HEADER = 1 << 16  # bytes in which a header ends
_LEAST_TEXT = 6  # bytes of a line of three numbers
_PLY = {
    "char": 1, "uchar": 1, "int8": 1, "uint8": 1, "short": 2, "ushort": 2, "int16": 2, "uint16": 2, "int": 4, "uint": 4,
    "int32": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}  # fmt: skip
_MAGIC = {b"LASF": ".las", b"ply\n": ".ply", b"ply\r": ".ply", b"# .P": ".pcd", b"VERS": ".pcd", b"PK\x03\x04": ".npz"}
_COMPRESSED = 0x80  # of the point format of LAS


def count_points(path: Path) -> int:
    """Count the points of a file, at most as many as its bytes can hold.

    Raises:
        DataError: its header cannot be read, or tells of more than the file holds.
    """
    suffix = path.suffix.lower()
    try:
        return _COUNTS.get(suffix, _of_text)(path)
    except (ValueError, KeyError, IndexError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a readable {suffix[1:].upper()} file, it is truncated or damaged ({error})"
        ) from error


def suffix_by_bytes(head: bytes) -> str:
    """Tell what a cloud without a name is, by its first bytes; "" where they do not."""
    found = _MAGIC.get(head[:4], "")
    return ".laz" if found == ".las" and len(head) > 104 and head[104] & _COMPRESSED else found


def _of_las(path: Path) -> int:
    return open_cloud(path).count


def _of_ply(path: Path) -> int:
    """Vertices, of ascii at least two bytes a value."""
    head, start = _head(path, b"\nend_header")
    ascii_, count, least, inside = "format ascii" in head, 0, 0, False
    for line in head.splitlines():
        words = line.split()
        if words[:1] == ["element"]:
            inside = words[1] == "vertex"
            count = int(words[2]) if inside else count
        elif words[:1] == ["property"] and inside:
            least += 2 if ascii_ else _PLY[words[2] if words[1] == "list" else words[1]]
    return _fits(path, count, least, start)


def _of_pcd(path: Path) -> int:
    """Points, of ascii at least two bytes a value; of packed ones the reader compares the sizes."""
    head, start = _head(path, b"\nDATA")
    said = {line.split()[0]: line.split()[1:] for line in head.splitlines() if line.split()}
    points = said.get("POINTS") or [str(int(said["WIDTH"][0]) * int(said.get("HEIGHT", ["1"])[0]))]
    fields = said.get("FIELDS") or said["COLUMNS"]
    sizes = [int(one) for one in said.get("SIZE", ["4"] * len(fields))]
    counts = [int(one) for one in said.get("COUNT", ["1"] * len(fields))]
    least = {"ascii": 2 * sum(counts), "binary": sum(size * count for size, count in zip(sizes, counts, strict=True))}
    return _fits(path, int(points[0]), least.get(said["DATA"][0], 0), start)


def _of_npz(path: Path) -> int:
    """The longest array, by the headers of all."""
    longest = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as entry:
                version = np.lib.format.read_magic(entry)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(entry)
            if int(np.prod(shape, dtype=object)) * dtype.itemsize > member.file_size:
                raise ValueError(f"{member.filename} tells of more than it holds")
            longest = max(longest, int(shape[0]) if shape else 0)
    return longest


def _of_scan(path: Path) -> int:
    return path.stat().st_size // (20 if path.name.endswith(NUSCENES) else 16)


def _of_text(path: Path) -> int:
    return path.stat().st_size // _LEAST_TEXT


_COUNTS: dict[str, Callable[[Path], int]] = {
    ".las": _of_las, ".laz": _of_las, ".ply": _of_ply, ".pcd": _of_pcd, ".npz": _of_npz, ".bin": _of_scan,
}  # fmt: skip


def _head(path: Path, last: bytes) -> tuple[str, int]:
    """The text of a header, and where the line ends that begins with `last`."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    end = head.find(b"\n", head.index(last) + 1) + 1
    if not end:
        raise ValueError(f"its header has no {last.decode().strip()} line")
    return head[:end].decode("ascii"), end


def _fits(path: Path, count: int, least: int, start: int) -> int:
    """Compare a number of points with the bytes that are there."""
    size = path.stat().st_size
    if count < 0 or count * least > size - start + 1:
        raise DataError(
            f"{path}: its header claims {count:,} points, but {size:,} bytes cannot hold them; the file is damaged or "
            "truncated, fetch it again"
        )
    return count
