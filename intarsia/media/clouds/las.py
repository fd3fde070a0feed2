"""LAS and LAZ (ASPRS LAS 1.4 R15 specification), read in chunks and written back with everything that they held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require, suggest
from intarsia.media.bounded import BoundedFile
from intarsia.media.clouds.cloud import CHUNK, CloudReader, PointCloud, as_codes, color_range
from intarsia.media.clouds.lasheader import check_las
from intarsia.media.clouds.names import COLORS, name_fields, split_columns

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
_MOST = 255
_LEFT_OUT = frozenset({"X", "Y", "Z", "classification", "bit_fields", "raw_classification", "classification_flags"})


def codes_of(names: Sequence[str], chosen: Mapping[str, int] | None = None) -> list[int]:
    """The classification code of each class: the chosen one, the ASPRS one of a standard name, or one from 64 on.

    Args:
        names: the classes.
        chosen: codes of some of them by name.

    Raises:
        DataError: there are more classes than codes.
        UsageError: a chosen code is that of another class, is out of range, or there is no such class.
    """
    said = dict(chosen or {})
    for name, code in said.items():
        if name not in names:
            raise UsageError(f"codes: no class is named {name!r}.{suggest(name, names)}")
        if not 0 <= code <= _MOST:
            raise UsageError(f"codes: {name}={code}: class codes of LAS are 0 to {_MOST}")
    codes = {name: _CODES[name] for name in names if name in _CODES} | said
    own = iter(code for code in range(_FIRST_OWN, _MOST + 1) if code not in codes.values())
    try:
        found = [codes[name] if name in codes else next(own) for name in names]
    except StopIteration:
        raise DataError(
            f"LAS has too few codes for {len(names)} classes without standard names; write .ply or .npz"
        ) from None
    for name in said:
        other = next((other for other, code in codes.items() if code == codes[name] and other not in said), None)
        if other is not None:
            raise UsageError(
                f"codes: {name}={codes[name]} is the code of {other}; choose another, or one for {other}, too"
            )
    return found


class LasReader(CloudReader):
    """LAS, LAZ or COPC, decoded chunk by chunk.

    Raises:
        DataError: no LAS, damaged, or a header that claims more points than the file can hold.
    """

    kind: ClassVar[str] = "las"

    def __init__(self, path: Path, label: str | None = None) -> None:
        self.path, self.name = path, str(path)
        with opened(path) as reader:
            header = reader.header
            self.count = int(header.point_count)
            self.point_format = int(header.point_format.id)
            self.has_crs = any(vlr.user_id == "LASF_Projection" for vlr in (*header.vlrs, *(reader.evlrs or ())))
            self.dimensions = tuple(header.point_format.dimension_names)
            if label is not None and label not in self.dimensions:
                raise DataError(
                    f"{path}: there is no dimension {label!r} for the labels; it has: {', '.join(self.dimensions)}"
                )
            self._label = label or "classification"
            empty = require("laspy", "clouds").ScaleAwarePointRecord.zeros(0, header=header)
        self._names = name_fields([*self._columns(empty)])
        self.fields = tuple(self._names.values())
        self.has_label = True

    def chunks(self, size: int = CHUNK) -> Iterator[PointCloud]:
        full, done = 0.0, 0
        with opened(self.path) as reader:
            for points in self.records(reader, size):
                columns = self._columns(points)
                fields = {known: columns[name] for name, known in self._names.items()}
                colors = [fields[name] for name in COLORS if name in fields]
                full = max([full, *(color_range(values) for values in colors)])
                xyz = np.stack([np.asarray(points.x), np.asarray(points.y), np.asarray(points.z)], axis=1)
                label = as_codes(np.asarray(points[self._label]), self.name)
                done += len(xyz)
                yield PointCloud(xyz, fields, label, full or 255.0, self.name)
        if done != self.count:
            raise DataError(f"{self.name}: it ends after {done:,} of {self.count:,} points; fetch the file again")

    def _columns(self, points: Any) -> dict[str, NDArray[Any]]:
        """Everything but coordinates and class codes; of arrays, each column by itself."""
        names = [name for name in self.dimensions if name not in _LEFT_OUT and name != self._label]
        arrays = (split_columns(name, np.asarray(points[name]), placed=True) for name in names)
        return {column: values for array in arrays for column, values in array.items()}

    def records(self, reader: Any, size: int) -> Iterator[Any]:
        """Records as laspy reads them; whatever a damaged file makes laspy or lazrs raise is a DataError."""
        chunks = reader.chunk_iterator(size)
        while True:
            with _explained(self.path):
                points = next(chunks, None)
            if points is None:
                return
            yield points


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file with laspy; what it raises on a damaged one is a DataError."""
    laspy = require("laspy", "clouds")
    if path.suffix.lower() == ".laz":
        require("lazrs", "clouds")
    with _explained(path):
        check_las(path)
        reader = laspy.open(BoundedFile(path))
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
