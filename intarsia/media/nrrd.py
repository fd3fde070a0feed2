"""NRRD (Nearly Raw Raster Data, format definition at teem.sourceforge.net/nrrd): volumes of 3D Slicer and others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from intarsia.errors import DataError
from intarsia.media.grids import Grid
from intarsia.media.rawvolumes import LPS_TO_RAS, Block, RawVolume, affine_of, beside

SUFFIXES = (".nrrd", ".nhdr")

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"), "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"), "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",), "f8": ("double",),
}  # fmt: skip
_PACKINGS = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2", "text": "text", "txt": "text",
    "ascii": "text",
}  # fmt: skip
_TURNS = {
    "left-posterior-superior": LPS_TO_RAS, "lps": LPS_TO_RAS,
    "right-anterior-superior": np.eye(4), "ras": np.eye(4),
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]), "las": np.diag([-1.0, 1.0, 1.0, 1.0]),
}  # fmt: skip
_UNITS = {"m": 1000.0, "cm": 10.0, "um": 1e-3, "µm": 1e-3, "microns": 1e-3, "micron": 1e-3, "nm": 1e-6}
_LONGEST = 1 << 20  # bytes of a header


def open_nrrd(path: Path) -> RawVolume:
    """Read the header of a NRRD file (.nrrd, or .nhdr with its voxels in a file beside it).

    Raises:
        DataError: damaged, or not one volume of numbers; says which, without the file's name.
    """
    fields, notes_of_file, end = _fields(path)
    sizes = tuple(int(size) for size in _said(fields, "sizes").split())
    _check_axes(sizes, fields)
    dtype = _dtype(fields)
    packing = _PACKINGS.get(_said(fields, "encoding").lower())
    if packing is None:
        raise DataError(f"its encoding is {fields['encoding']}; save it as raw or gzip")
    if int(fields.get("line skip", "0")):
        raise DataError("it skips lines before its voxels; save it again without")
    detached = fields.get("data file") or fields.get("datafile")
    skipped = int(fields.get("byte skip", "0"))
    file, start = (path, end) if detached is None else (beside(path, detached), 0)
    block = Block(file, start + skipped if skipped >= 0 else -1, dtype, packing)
    block.check(sizes)
    shape = (sizes[0], sizes[1], sizes[2])
    grid, placed = _grid(shape, fields)
    notes = () if placed else ("it does not say how the patient lies: it is taken as RAS, and may be mirrored.",)
    return RawVolume(grid, block, notes, _names(notes_of_file))


def _fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """Fields (``name: value``), key-value pairs (``key:=value``), and where the header ends."""
    with path.open("rb") as file:
        head = file.read(_LONGEST)
    if not head.startswith(b"NRRD000"):
        raise DataError("it is not a NRRD file")
    found = re.search(rb"\r?\n\r?\n", head)
    text = head[: found.start() if found else len(head)].decode("utf-8", "replace")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        key, equals, value = line.partition(":=")
        if equals:
            pairs[key] = value
        elif not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
    return fields, pairs, found.end() if found else len(head)


def _said(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise DataError(f"its header does not say its {name}")
    return fields[name]


def _check_axes(sizes: tuple[int, ...], fields: dict[str, str]) -> None:
    if len(sizes) != 3:
        kinds = fields.get("kinds", "")
        what = "layers of segments that overlap" if "list" in kinds else "several values a voxel, or several volumes"
        raise DataError(f"its size is {sizes}, so it holds {what}; save one volume with three axes")
    if "none" in fields.get("space directions", ""):
        raise DataError("one of its axes is no direction in space; save one volume with three axes")


def _dtype(fields: dict[str, str]) -> np.dtype[np.generic]:
    said = _said(fields, "type").lower()
    code = next((code for code, names in _TYPES.items() if said in names), None)
    if code is None:
        raise DataError(f"its voxels are {said}, not numbers; save them as integers or floats")
    return np.dtype((">" if fields.get("endian", "little").lower() == "big" else "<") + code)


def _grid(shape: tuple[int, int, int], fields: dict[str, str]) -> tuple[Grid, bool]:
    """The grid, and whether the file says how the patient lies: not if its directions are those of the scanner."""
    turn = _TURNS.get(fields.get("space", "").lower())
    vectors = _vectors(fields.get("space directions", ""))
    if len(vectors) == 3:
        origin = _vectors(fields.get("space origin", "")) or [[0.0, 0.0, 0.0]]
        unit = _unit(fields.get("space units", ""))
        affine = affine_of(np.array(vectors) * unit, np.array(origin[0]) * unit, np.eye(4) if turn is None else turn)
        return Grid(shape, affine), turn is not None
    unit = _unit(fields.get("units", ""))
    affine = np.diag([*(unit * step for step in _per_axis(fields, "spacings", 1.0)), 1.0])
    affine[:3, 3] = [unit * start for start in _per_axis(fields, "axis mins", 0.0)]
    return Grid(shape, affine), False


def _unit(said: str) -> float:
    """Millimetres in a unit of length, as a header quotes it for each axis; 1 of none and of those that are unknown."""
    units = {one.strip().lower() for one in re.findall(r'"([^"]*)"', said)}
    return _UNITS.get(units.pop(), 1.0) if len(units) == 1 else 1.0


def _per_axis(fields: dict[str, str], name: str, otherwise: float) -> list[float]:
    """Three finite numbers of a field."""
    said = [float(one) for one in (fields.get(name) or fields.get(name.replace(" ", ""), "")).split()]
    return [one if np.isfinite(one) else otherwise for one in said] if len(said) == 3 else [otherwise] * 3


def _vectors(text: str) -> list[list[float]]:
    return [[float(part) for part in one.split(",")] for one in re.findall(r"\(([^)]*)\)", text)]


def _names(pairs: dict[str, str]) -> dict[int, str]:
    """Names of the segments, as 3D Slicer writes them."""
    found = {}
    for key, name in pairs.items():
        segment = re.fullmatch(r"(Segment\d+)_Name", key)
        value = pairs.get(f"{segment[1]}_LabelValue", "") if segment else ""
        if value.strip().isdecimal():
            found[int(value)] = name.strip()
    return found
