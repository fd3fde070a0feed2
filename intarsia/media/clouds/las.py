"""LAS and LAZ (ASPRS LAS 1.4 R15 specification), read in chunks and written back with everything that they held."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require
from intarsia.files import atomic_path
from intarsia.media.clouds.cloud import CHUNK, COLORS, CloudReader, PointCloud, canonical, color_range
from intarsia.media.clouds.lasheader import check_las

SUFFIXES = (".las", ".laz")

# ASPRS standard classes (LAS 1.4 R15, table 17), in the spelling of this package.
ASPRS = {
    0: "never_classified", 1: "unclassified", 2: "ground", 3: "low_vegetation", 4: "medium_vegetation",
    5: "high_vegetation", 6: "building", 7: "low_noise", 8: "model_key_point", 9: "water", 10: "rail", 11: "road",
    13: "wire_guard", 14: "wire_conductor", 15: "transmission_tower", 16: "wire_connector", 17: "bridge_deck",
    18: "high_noise", 19: "overhead_structure", 20: "ignored_ground", 21: "snow", 22: "temporal_exclusion",
}  # fmt: skip
# Colours that readers of maps expect; classes without one get the package's own.
ASPRS_COLORS = {
    "unclassified": (150, 150, 150), "ground": (178, 136, 86), "low_vegetation": (171, 221, 110),
    "medium_vegetation": (90, 180, 70), "high_vegetation": (20, 115, 45), "building": (213, 60, 50),
    "water": (55, 126, 200), "rail": (110, 70, 120), "road": (80, 80, 90), "wire_conductor": (240, 200, 30),
    "transmission_tower": (230, 130, 20), "bridge_deck": (150, 90, 170),
}  # fmt: skip
_CODES = {name: code for code, name in ASPRS.items()}
_FIRST_OWN = 64  # codes from here on are the user's
_COPC = "copc"
_LEFT_OUT = frozenset({"X", "Y", "Z", "classification", "bit_fields", "raw_classification", "classification_flags"})


def codes_of(names: Sequence[str]) -> list[int]:
    """The classification code of each class: the ASPRS one of a standard name, from 64 on for others."""
    own = iter(range(_FIRST_OWN, 256))
    return [_CODES[name] if name in _CODES else next(own) for name in names]


class LasReader(CloudReader):
    """LAS, LAZ or COPC, decoded chunk by chunk.

    Raises:
        DataError: no LAS, damaged, or a header that claims more points than the file can hold.
    """

    kind: ClassVar[str] = "las"

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        with _opened(path) as reader:
            header = reader.header
            self.count = int(header.point_count)
            self.point_format = int(header.point_format.id)
            self.dimensions = tuple(header.point_format.dimension_names)
        self._names = {name: canonical(name) for name in self.dimensions if name not in _LEFT_OUT}
        self.fields = tuple(self._names.values())
        self.has_label = True

    def chunks(self, size: int = CHUNK) -> Iterator[PointCloud]:
        full, done = 0.0, 0
        with _opened(self.path) as reader:
            for points in self._points(reader, size):
                fields = {known: np.asarray(points[name]) for name, known in self._names.items()}
                colors = [fields[name] for name in COLORS if name in fields]
                full = max([full, *(color_range(values) for values in colors)])
                xyz = np.stack([np.asarray(points.x), np.asarray(points.y), np.asarray(points.z)], axis=1)
                label = np.asarray(points.classification).astype(np.int64)
                done += len(xyz)
                yield PointCloud(xyz, fields, label, full or 255.0, self.name)
        if done != self.count:
            raise DataError(f"{self.name}: it ends after {done:,} of {self.count:,} points; fetch the file again")

    def _points(self, reader: Any, size: int) -> Iterator[Any]:
        """Records as laspy reads them; whatever a damaged file makes laspy or lazrs raise is a DataError."""
        chunks = reader.chunk_iterator(size)
        while True:
            with _explained(self.path):
                points = next(chunks, None)
            if points is None:
                return
            yield points


def write_las(
    source: LasReader, path: Path, labels: NDArray[Any], codes: NDArray[np.uint8], extra: dict[str, NDArray[Any]]
) -> None:
    """Copy a file with new classes: header, scale, offset, CRS and all dimensions stay as they are.

    Args:
        source: the file that was labelled.
        path: target, .las or .laz.
        labels: (N,) class indices in the file's order.
        codes: classification code by label.
        extra: extra dimensions to add (or, with the same name and type, to replace), each (N,).

    Raises:
        DataError: the disk is full.
    """
    import laspy

    with _writing(path) as temporary, _opened(source.path) as reader:
        header = copy.deepcopy(reader.header)
        header.vlrs = [vlr for vlr in reader.header.vlrs if vlr.user_id != _COPC]
        present = set(header.point_format.extra_dimension_names)
        header.add_extra_dims(
            [laspy.ExtraBytesParams(name, values.dtype) for name, values in extra.items() if name not in present]
        )
        with laspy.open(temporary, mode="w", header=header, do_compress=path.suffix.lower() == ".laz") as writer:
            start = 0
            for points in source._points(reader, CHUNK):
                rows = slice(start, start + len(points))
                record = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
                record.copy_fields_from(points)
                record["classification"] = codes[labels[rows]]
                for name, values in extra.items():
                    record[name] = values[rows]
                writer.write_points(record)
                start = rows.stop
            kept = [vlr for vlr in reader.evlrs or () if vlr.user_id != _COPC]
            if kept and header.version.minor >= 4:
                writer.write_evlrs(laspy.vlrs.vlrlist.VLRList(kept))


def write_new_las(path: Path, cloud: PointCloud, codes: NDArray[np.uint8], extra: dict[str, NDArray[Any]]) -> None:
    """Write any cloud as LAS 1.4, at millimetre resolution, with its colours and intensity.

    Args:
        path: target, .las or .laz.
        cloud: the points.
        codes: (N,) classification code of each point.
        extra: extra dimensions, each (N,).

    Raises:
        DataError: the disk is full.
    """
    import laspy

    colored = all(name in cloud.fields for name in COLORS[:3])
    header = laspy.LasHeader(point_format=7 if colored else 6, version="1.4")
    finite = cloud.xyz[np.isfinite(cloud.xyz).all(axis=1)]
    header.scales = np.full(3, 0.001)
    header.offsets = np.floor(finite.min(axis=0)) if len(finite) else np.zeros(3)
    header.add_extra_dims([laspy.ExtraBytesParams(name, values.dtype) for name, values in extra.items()])
    las = laspy.LasData(header)
    # LAS has no NaN: a point without coordinates lies at the offset.
    las.xyz = np.where(np.isfinite(cloud.xyz), cloud.xyz, header.offsets)
    las.classification = codes
    if colored:
        for name in COLORS[:3]:
            las[name] = np.clip(cloud.fields[name] / cloud.color_max * 65535, 0, 65535).astype(np.uint16)
    if "intensity" in cloud.fields:
        values = cloud.fields["intensity"].astype(np.float64)
        las.intensity = np.clip(values * (65535 if values.max(initial=0) <= 1 else 1), 0, 65535).astype(np.uint16)
    for name, values in extra.items():
        las[name] = values
    with _writing(path) as temporary:
        las.write(str(temporary), do_compress=path.suffix.lower() == ".laz")


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


def check_codes(source: LasReader, codes: NDArray[np.uint8]) -> None:
    """Raise a DataError if the point format of a file cannot hold the codes."""
    if source.point_format < 6 and int(codes.max()) > 31:
        raise DataError(
            f"{source.name}: its point format {source.point_format} holds classes up to 31, and class code "
            f"{int(codes.max())} is above; write to .ply or .npz, or convert the file to LAS 1.4 (point format 6 to 8)"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    laspy = require("laspy", "clouds")
    if path.suffix.lower() == ".laz":
        require("lazrs", "clouds")
    with _explained(path):
        check_las(path)
        reader = laspy.open(path)
    with reader:
        yield reader


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what laspy and its decompressor raise on damaged files into one error."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, DataError):
        raise
    except BaseException as error:  # the decompressor is Rust: its panics are no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DataError(f"{path}: not a readable LAS or LAZ file, it is truncated or damaged ({error})") from error
