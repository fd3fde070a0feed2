"""MetaImage (.mha, or .mhd with a file of voxels beside it), as ITK reads and writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from intarsia.errors import DataError
from intarsia.media.grids import Grid
from intarsia.media.rawvolumes import LPS_TO_RAS, Block, RawVolume, affine_of, beside

SUFFIXES = (".mha", ".mhd")

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_LONGEST = 1 << 16  # bytes of a header


def open_metaimage(path: Path) -> RawVolume:
    """Read the header of a MetaImage.

    Raises:
        DataError: damaged, or not one volume of numbers; says which, without the file's name.
    """
    fields, end = _fields(path)
    sizes = tuple(int(size) for size in _said(fields, "DimSize").split())
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    if len(sizes) != 3 or channels != 1:
        raise DataError(
            f"its size is {sizes} with {channels} values a voxel; save one volume with three axes and one value"
        )
    kind = _said(fields, "ElementType").upper()
    if kind not in _TYPES:
        raise DataError(f"its voxels are {kind}, not numbers; save them as integers or floats")
    big = "true" in (fields.get("BinaryDataByteOrderMSB", "") + fields.get("ElementByteOrderMSB", "")).lower()
    data = _said(fields, "ElementDataFile")
    here = data.upper() == "LOCAL"
    offset = end if here else int(fields.get("HeaderSize", "0"))
    packing = "zlib" if fields.get("CompressedData", "").lower() == "true" else "raw"
    if fields.get("BinaryData", "True").lower() == "false":
        packing = "text"
    block = Block(path if here else beside(path, data), offset, np.dtype((">" if big else "<") + _TYPES[kind]), packing)
    block.check(sizes)
    shape = (sizes[0], sizes[1], sizes[2])
    return RawVolume(_grid(shape, fields), block)


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Keys and values, and where the header ends: after the name of the file of voxels."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < _LONGEST and (line := file.readline(_LONGEST)):
            key, _, value = line.decode("latin-1").partition("=")
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, file.tell()
    raise DataError("it is not a MetaImage: no ElementDataFile in its header")


def _said(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise DataError(f"its header does not say its {name}")
    return fields[name]


def _grid(shape: tuple[int, int, int], fields: dict[str, str]) -> Grid:
    """Axes to the left, to the back and up, each row of the matrix the direction of one of the stored axes."""
    spacing = _numbers(fields, ("ElementSpacing", "ElementSize"), [1.0, 1.0, 1.0])
    origin = _numbers(fields, ("Offset", "Position", "Origin"), [0.0, 0.0, 0.0])
    matrix = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), np.eye(3).ravel().tolist())
    directions = np.array(matrix).reshape(3, 3) * np.array(spacing)[:, None]
    return Grid(shape, affine_of(directions, np.array(origin), LPS_TO_RAS))


def _numbers(fields: dict[str, str], names: tuple[str, ...], otherwise: list[float]) -> list[float]:
    said = next((fields[name] for name in names if fields.get(name)), "")
    return [float(one) for one in said.split()] or otherwise
