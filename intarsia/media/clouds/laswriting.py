"""Writing LAS and LAZ: a copy with other classes, or any cloud in whole numbers, without bending a value."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, counted
from intarsia.files import atomic_path
from intarsia.media.clouds.cloud import CHUNK, PointCloud, lifted
from intarsia.media.clouds.las import LasReader, opened
from intarsia.media.clouds.names import COLORS

_COPC = "copc"
_MOST_OLD = 31  # class codes have five bits in point formats 0 to 5
_NEWER = {0: 6, 1: 6, 2: 7, 3: 7, 4: 9, 5: 10}  # the point format of LAS 1.4 that holds all of an older one
_WAVES = (4, 5, 9, 10)
_ANGLE = 0.006  # degrees, one step of a scan angle in point formats 6 to 10
_MOST_STEPS = 2e9  # LAS stores 32 bits, from an offset at most 1e8 steps below the lowest coordinate
_COARSEST, _FINEST = 3, 12  # decimals
_SHIFT = 2.5e-8  # of the extent, by which rounding may move a point
# What LAS has a place for: name here, name there, highest value.
_PLACES = (
    ("return_number", "return_number", 15), ("number_of_returns", "number_of_returns", 15),
    ("user_data", "user_data", 255), ("point_source_id", "point_source_id", 65535),
    ("scan_direction_flag", "scan_direction_flag", 1), ("edge_of_flight_line", "edge_of_flight_line", 1),
)  # fmt: skip
_LONGEST_NAME, _MOST_FIELDS = 32, 300
_FULL = 65535


def write_las(
    source: LasReader, path: Path, labels: NDArray[Any], codes: NDArray[np.uint8], extra: Mapping[str, NDArray[Any]]
) -> tuple[str, ...]:
    """Copy a file with new classes: header, scale, offset, CRS and all dimensions stay as they are, bit by bit.

    Point formats 0 to 5 hold class codes up to 31. For higher ones the copy is LAS 1.4 in the point format that holds
    all of the old one.

    Args:
        source: the file that was labelled.
        path: target, .las or .laz.
        labels: (N,) class indices in the file's order.
        codes: classification code by label.
        extra: extra dimensions to add (or, with the same name and type, to replace), each (N,).

    Returns:
        What had to change, in sentences.

    Raises:
        DataError: the disk is full.
    """
    import laspy

    notes: list[str] = []
    with _writing(path) as temporary, opened(source.path) as reader:
        header = copy.deepcopy(reader.header)
        header.vlrs = [vlr for vlr in reader.header.vlrs if vlr.user_id != _COPC]
        if source.point_format in _NEWER and int(codes.max()) > _MOST_OLD:
            notes.append(_renew(header, int(codes.max())))
        if source.point_format in _WAVES:
            notes.append(f"waveforms are not copied; where they lie in {source.path.stem}.wdp, copy that file, too")
        added = _add_dimensions(header, extra, notes)
        with laspy.open(temporary, mode="w", header=header, do_compress=path.suffix.lower() == ".laz") as writer:
            start = 0
            for points in source.records(reader, CHUNK):
                rows = slice(start, start + len(points))
                record = _copied(points, header)
                record["classification"] = codes[labels[rows]]
                for name, values in added.items():
                    record[name] = values[rows]
                writer.write_points(record)
                start = rows.stop
            kept = [vlr for vlr in reader.evlrs or () if vlr.user_id != _COPC]
            if kept and header.version.minor >= 4:
                writer.write_evlrs(laspy.vlrs.vlrlist.VLRList(kept))
    return tuple(notes)


def _renew(header: Any, highest: int) -> str:
    """Change a header to LAS 1.4."""
    import laspy

    old = header.point_format
    new = laspy.PointFormat(_NEWER[old.id])
    new.dimensions.extend(old.extra_dimensions)
    header.set_version_and_point_format(laspy.header.Version(1, 4), new)
    return (
        f"written as LAS 1.4, point format {new.id}, because format {old.id} holds class codes up to {_MOST_OLD}, and "
        f"there is one of {highest} (--codes CLASS=CODE chooses others)"
    )


def _add_dimensions(header: Any, extra: Mapping[str, NDArray[Any]], notes: list[str]) -> dict[str, NDArray[Any]]:
    """Add dimensions under names that are free; those of the same name and type are replaced."""
    import laspy

    present = {one.name: one for one in header.point_format.extra_dimensions}
    found: dict[str, NDArray[Any]] = {}
    for name, values in extra.items():
        same = name in present and present[name].dtype == values.dtype and not present[name].is_scaled
        free = name if same else _free(name, header.point_format.dimension_names)
        if free != name:
            notes.append(f"the file has a dimension {name} of its own: what is new is called {free}")
        if not same:
            header.add_extra_dims([laspy.ExtraBytesParams(free, values.dtype)])
        found[free] = values
    return found


def _free(name: str, taken: Iterable[str]) -> str:
    known = set(taken)
    names = (name, *(f"{name[: _LONGEST_NAME - 4]}_{number}" for number in range(2, 1000)))
    return next(one for one in names if one not in known)


def _copied(points: Any, header: Any) -> Any:
    """The points as records of a header, which has all of their dimensions."""
    import laspy

    record = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
    same = record.point_format.id == points.point_format.id
    for name in points.array.dtype.names:
        if name in record.array.dtype.names and (same or name != "bit_fields"):
            record.array[name] = points.array[name]
    if not same:
        shared = set(record.point_format.standard_dimension_names) & set(points.point_format.dimension_names)
        for name in shared - {"X", "Y", "Z"}:
            record[name] = np.asarray(points[name])
        record["scan_angle"] = np.round(np.asarray(points["scan_angle_rank"]) / _ANGLE).astype(np.int16)
    return record


def write_new_las(
    path: Path, cloud: PointCloud, codes: NDArray[np.uint8], extra: Mapping[str, NDArray[Any]]
) -> tuple[str, ...]:
    """Write any cloud as LAS 1.4, with its colours, its intensity and its other fields.

    The scale follows from the coordinates (`resolution`). Fields that LAS has a place for go there if they fit, all
    others become extra dimensions as they are.

    Args:
        path: target, .las or .laz.
        cloud: the points.
        codes: (N,) classification code of each point.
        extra: extra dimensions, each (N,).

    Returns:
        What had to change, in sentences.

    Raises:
        DataError: the disk is full, or there are more fields than LAS can hold.
    """
    import laspy

    notes: list[str] = []
    colored = all(name in cloud.fields for name in COLORS[:3])
    header = laspy.LasHeader(
        point_format=8 if colored and COLORS[3] in cloud.fields else 7 if colored else 6, version="1.4"
    )
    standard = _standard(cloud, notes)
    placed = {*standard, *(COLORS if colored else ())}
    others = {name: values for name, values in cloud.fields.items() if name not in placed}
    if len(others) > _MOST_FIELDS:
        raise DataError(
            f"{cloud.source}: LAS holds {_MOST_FIELDS} further fields, and there are {len(others)}; write .npz"
        )
    finite = np.asarray(np.isfinite(cloud.xyz).all(axis=1))
    header.scales, header.offsets = grid(cloud.xyz[finite])
    if header.scales.max() > 10.0**-_COARSEST:
        notes.append(f"coordinates are rounded to {header.scales.max():g}: LAS holds no finer ones over this extent")
    own: dict[str, NDArray[Any]] = {}
    for name, values in others.items():
        own[_free(_spelled(name), own)] = _storable(values)
    added = _add_dimensions(header, own, notes)
    added |= _add_dimensions(header, extra, notes)
    las = laspy.LasData(header)
    # LAS has no NaN: a point without coordinates lies at the offset.
    las.xyz = np.where(finite[:, None], cloud.xyz, header.offsets)
    las.classification = codes
    if not finite.all():
        las.withheld = ~finite
        lost = counted(int((~finite).sum()), "point")
        notes.append(f"{lost} without coordinates: LAS has no such thing, they lie at the offset and are withheld")
    for name, values in _colors(cloud, colored):
        las[name] = values
    for name, values in (*standard.items(), *added.items()):
        las[name] = values
    with _writing(path) as temporary:
        las.write(str(temporary), do_compress=path.suffix.lower() == ".laz")
    return tuple(notes)


def _standard(cloud: PointCloud, notes: list[str]) -> dict[str, NDArray[Any]]:
    """The fields that LAS has a place for, of those whose values fit into it."""
    found: dict[str, NDArray[Any]] = {}
    for name, place, highest in _PLACES:
        values = cloud.fields.get(name)
        if values is not None and _is_within(values, highest):
            found[place] = values.astype(np.uint16)
        elif values is not None:
            notes.append(f"{name} is no whole number from 0 to {highest}: it becomes a dimension of its own")
    if "gps_time" in cloud.fields:
        found["gps_time"] = cloud.fields["gps_time"].astype(np.float64)
    if "intensity" in cloud.fields:
        found["intensity"], said = sixteen_bits(cloud.fields["intensity"])
        notes += [said] if said else []
    return found


def sixteen_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint16], str]:
    """Intensities as LAS holds them, whole numbers from 0 to 65535, and what that took, in a sentence.

    Values of 0 to 1 are stretched, those below 0 moved up (a PTS file holds -2048 to 2047), those above 65535
    compressed; what fits is rounded.
    """
    plain, shift = lifted(values)
    high = float(plain.max(initial=0))
    said = f"intensity is written {shift:g} higher: LAS holds whole numbers from 0 to {_FULL}" if shift else ""
    if high > _FULL or (high <= 1 and values.dtype.kind == "f"):
        factor = _FULL / (high if high > _FULL else 1.0)
        plain = plain * factor
        said = f"intensity is written times {factor:.6g}: LAS holds whole numbers from 0 to {_FULL}" if high else said
    return np.round(plain).astype(np.uint16), said


def grid(xyz: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scales (3,) and offsets (3,) of coordinates (N, 3): see `decimals`."""
    if not len(xyz):
        return np.full(3, 10.0**-_COARSEST), np.zeros(3)
    scales, offsets = np.empty(3), np.empty(3)
    extent = float(np.ptp(xyz, axis=0).max())
    for axis, values in enumerate(xyz.T):
        low, width = float(values.min()), float(np.ptp(values))
        scale = 10.0 ** -decimals(values, extent)
        while width / scale > _MOST_STEPS:
            scale *= 10
        step = max(scale, min(1.0, scale * 1e8))
        scales[axis], offsets[axis] = scale, math.floor(low / step) * step
    return scales, offsets


def decimals(values: NDArray[np.float64], extent: float) -> int:
    """How many decimals finite coordinates need, 3 to 12.

    Three, a millimetre, are enough where they move no point by more than 1 / 40,000,000 of the extent along the axis;
    degrees and small objects need more, up to all that the numbers have.

    Args:
        values: (N,) along one axis.
        extent: along the longest axis, which counts where this one has none.
    """
    width = float(np.ptp(values)) if len(values) else 0.0
    largest = float(np.abs(values).max(initial=0.0))
    most = max(_SHIFT * (width or extent or 1.0), 4 * float(np.spacing(largest)))
    for places in range(_COARSEST, _FINEST):
        if float(np.abs(np.round(values, places) - values).max(initial=0.0)) <= most:
            return places
    return _FINEST


def _is_within(values: NDArray[Any], highest: int) -> bool:
    if not np.isfinite(values).all():
        return False
    return bool(((values >= 0) & (values <= highest) & (values == np.round(values))).all())


def _colors(cloud: PointCloud, colored: bool) -> Iterator[tuple[str, NDArray[np.uint16]]]:
    for name in COLORS if colored else ():
        if name in cloud.fields:
            shares = np.nan_to_num(cloud.fields[name] / cloud.color_max).clip(0, 1)
            yield "nir" if name == COLORS[3] else name, np.round(shares * _FULL).astype(np.uint16)


def _spelled(name: str) -> str:
    """A name that an extra dimension can have: 32 bytes."""
    return name.encode("ascii", "replace")[:_LONGEST_NAME].decode().replace("?", "_")


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """LAS has whole numbers of 8 to 64 bits, and floats of 32 and 64."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    return values.astype(np.float32) if values.dtype == np.float16 else values


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A temporary name for a file; the compressor's errors become the system's, whose reason it does not tell."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except Exception as error:
        if type(error).__name__ != "LazrsError":
            raise
        raise DataError(f"cannot write {path} ({error}); the disk may be full: free some space") from error
