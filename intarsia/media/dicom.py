"""DICOM series: the slices of one scan, put in order and checked (DICOM PS3.3, Image Plane and CT Image modules)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require
from intarsia.media.bounded import BoundedFile
from intarsia.media.grids import Grid

_TAGS = (
    "SeriesInstanceUID", "SeriesDescription", "Modality", "ImageOrientationPatient", "ImagePositionPatient",
    "PixelSpacing", "SliceThickness", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
)  # fmt: skip
_PARALLEL = 1e-3
_UNEVEN = 0.1  # of the usual distance: rounded positions differ by less, a missing slice by far more
_MAX_SIDE = 32_768
_LOOKED_AT = 5  # files of a folder
# DICOM's axes go to the left and to the back, NIfTI's to the right and to the front.
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_series(path: Path) -> bool:
    """Tell whether a path is a DICOM file of a scan, or a folder whose own files begin with one."""
    if not path.is_dir():
        return path.is_file() and _is_dicom(path) and not is_flat(path)
    with os.scandir(path) as found:
        names = (entry.name for entry in found if not entry.name.startswith(".") and os.path.isfile(entry.path))
        first = [path / name for name in nsmallest(_LOOKED_AT, names)]
    return any(_is_dicom(file) and not is_flat(file) for file in first)


def is_flat(path: Path) -> bool:
    """Tell whether a file is a DICOM image that does not lie in a scan: a picture without a place in the patient."""
    if not _is_dicom(path):
        return False
    try:
        header = _read(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        frames, samples = int(header.get("NumberOfFrames") or 1), int(header.get("SamplesPerPixel") or 1)
        placed = samples == 1 and header.get("ImagePositionPatient") and header.get("ImageOrientationPatient")
        return "Rows" in header and frames == 1 and not placed
    except Exception:  # pydicom is missing, or raises almost anything on damaged files; reading them says what is wrong
        return False


def begins_as_dicom(head: bytes) -> bool:
    """Tell by its first 132 bytes whether a file is DICOM: by the preamble, or, without it, by its first element.

    Old files and those of some archives begin with an element of group 2 or 8 at once, with its type in two letters or,
    in the implicit form, with a length of a few bytes.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 132 or head[:2] not in (b"\x02\0", b"\x08\0") or head[3] != 0 or head[2] > 0x18:
        return False
    explicit = head[4:6] in (b"UL", b"OB", b"UI", b"SH", b"CS", b"DA", b"LO")
    return explicit or (int.from_bytes(head[4:8], "little") <= 64 and int.from_bytes(head[4:8], "little") % 2 == 0)


def encoded(dataset: Any) -> Any:
    """A read dataset whose encoding is known also where the file does not say it, for want of a preamble."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        uid = require("pydicom.uid", "volumes")
        implicit, little = dataset.original_encoding
        syntax = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax if little else uid.ExplicitVRBigEndian
    return dataset


UNDECODABLE = (RuntimeError, NotImplementedError)
"""What pydicom raises where it has no decoder for a compression."""


def _read(file: Path, **options: Any) -> Any:
    pydicom = require("pydicom", "volumes")
    with BoundedFile(file) as stream:
        return pydicom.dcmread(stream, force=True, **options)


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return begins_as_dicom(stream.read(132))
    except OSError:
        return False


@dataclass(frozen=True)
class _Slice:
    """The header of one file, as far as it decides where the slice lies."""

    path: Path
    size: tuple[int, int]
    directions: tuple[float, ...]
    position: tuple[float, float, float]
    spacing: tuple[float, float]
    thickness: float

    @property
    def normal(self) -> NDArray[np.float64]:
        normal: NDArray[np.float64] = np.cross(self.directions[:3], self.directions[3:])
        return normal

    @property
    def height(self) -> float:
        """The position along the normal."""
        return float(self.normal @ self.position)


class Series:
    """The slices of one scan, from one end to the other; stored axes are columns, rows and slices.

    Attributes:
        grid: where the voxels lie.
        notes: what was left out.
        whole_bytes: of stored values that are held while it is read: none, slices are read one by one.
    """

    whole_bytes = 0

    def __init__(self, slices: list[_Slice], name: str, notes: tuple[str, ...]) -> None:
        self._name = name
        self._slices = sorted(slices, key=lambda one: one.height)
        self.notes = notes
        self._check_alike()
        self._check_gaps()
        first, last, count = self._slices[0], self._slices[-1], len(self._slices)
        affine = np.eye(4)
        # Directions: first along a row (over the columns), then down a column (over the rows).
        affine[:3, 0] = np.array(first.directions[:3]) * first.spacing[1]
        affine[:3, 1] = np.array(first.directions[3:]) * first.spacing[0]
        step = (np.array(last.position) - first.position) / (count - 1) if count > 1 else first.normal * first.thickness
        affine[:3, 2] = step
        affine[:3, 3] = first.position
        rows, columns = first.size
        try:
            self.grid = Grid((columns, rows, count), _TO_RAS @ affine)
        except DataError as error:
            raise DataError(f"cannot read {name}: {error}") from error

    def _check_alike(self) -> None:
        first = self._slices[0]
        for one in self._slices[1:]:
            if one.size != first.size:
                raise DataError(
                    f"cannot read {self._name}: its slices differ in size: {first.path.name} has "
                    f"{first.size[1]}x{first.size[0]} pixels, {one.path.name} {one.size[1]}x{one.size[0]}; "
                    "take out those that do not belong to the scan"
                )
            turned = np.abs(np.subtract(one.directions, first.directions)).max()
            if turned > _PARALLEL or not np.allclose(one.spacing, first.spacing, rtol=1e-3):
                raise DataError(
                    f"cannot read {self._name}: {one.path.name} lies in another plane, or has other pixels, than "
                    f"{first.path.name}, so they are no stack; take out what does not belong to the scan (a localizer?)"
                )

    def _check_gaps(self) -> None:
        heights = np.array([one.height for one in self._slices])
        steps = np.diff(heights)
        if not steps.size:
            return
        usual = float(np.median(steps))
        if steps.min() <= 0.01 * usual:
            place = int(steps.argmin())
            raise DataError(
                f"cannot read {self._name}: {self._slices[place].path.name} and {self._slices[place + 1].path.name} "
                "lie in the same place; a series of several phases or a copy has to be divided first"
            )
        uneven = np.abs(steps - usual) > _UNEVEN * usual
        if uneven.any():
            place = int(np.abs(steps - usual).argmax())
            missing = round(steps[place] / usual) - 1
            what = f"{missing} slices are missing" if missing > 0 else "slices are closer than elsewhere"
            raise DataError(
                f"cannot read {self._name}: between {self._slices[place].path.name} and "
                f"{self._slices[place + 1].path.name} {what} ({steps[place]:.2f} mm, elsewhere {usual:.2f} mm); "
                "export the series again"
            )

    def slabs(self, count: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The values in their unit, one slice at a time."""
        for index, one in enumerate(self._slices):
            yield slice(index, index + 1), self._decode(one)[..., None]

    def _decode(self, one: _Slice) -> NDArray[np.float32]:
        """(columns, rows), after the modality's rescaling (for CT, Hounsfield units)."""
        pydicom = require("pydicom", "volumes")
        try:
            dataset = encoded(_read(one.path))
            pixels = dataset.pixel_array
            values = pydicom.pixels.apply_modality_lut(pixels, dataset)
        except UNDECODABLE as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"cannot read {one.path}: its compression cannot be decoded here ({reason}); "
                "decompress the series (gdcmconv --raw), or convert it to NIfTI (dcm2niix)"
            ) from error
        except Exception as error:  # pydicom raises almost anything on damaged files
            raise DataError(f"cannot read {one.path}: it is truncated or corrupt ({error}); export it again") from error
        if values.shape != one.size:
            raise DataError(f"cannot read {one.path}: its pixels are {values.shape}, its header says {one.size}")
        return np.asarray(values, dtype=np.float32).T

    def header(self) -> None:
        """DICOM has no header that NIfTI could take over."""

    def class_names(self) -> dict[int, str]:
        """Pictures of a scanner have none."""
        return {}


def open_series(files: Sequence[Path], series: str | None, *, name: str = "") -> Series:
    """Read the headers of DICOM files and put the slices of one series in order.

    Args:
        files: the files; what is no DICOM image is left out and counted.
        series: the SeriesInstanceUID, or its end, if there are several.
        name: what to call them in messages.

    Raises:
        DataError: no DICOM images, several series, or slices that are not the stack of one scan.
        UsageError: no such series, or pydicom is not installed.
    """
    name = name or f"{len(files)} DICOM files"
    found: dict[str, list[Any]] = defaultdict(list)
    others = []
    for file in files:
        header = _header(file)
        if header is None:
            others.append(file)
        else:
            found[str(header.get("SeriesInstanceUID", ""))].append((file, header))
    if not found:
        raise DataError(f"cannot read {name}: no DICOM image among {len(files)} files; name the folder of one series")
    notes = (
        (f"{len(others)} files of {name} are no DICOM images and were left out, for instance {others[0].name}.",)
        if others
        else ()
    )
    return Series([_slice(file, header) for file, header in found[_pick(found, series, name)]], name, notes)


def _pick(found: dict[str, list[Any]], series: str | None, name: str) -> str:
    chosen = [uid for uid in found if series is None or uid.endswith(series)]
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(
        f"{uid} ({header[0][1].get('Modality', '?')}, {header[0][1].get('SeriesDescription', 'no description')}, "
        f"{len(header)} images)"
        for uid, header in found.items()
    )
    if series is None:
        raise DataError(f"{name} holds {len(found)} series; choose one by the end of its UID (--series): {listed}")
    raise UsageError(f"{'no' if not chosen else 'more than one'} series of {name} ends in {series}: {listed}")


def _header(file: Path) -> Any:
    """The header of a DICOM image; None for all other files."""
    if not _is_dicom(file):
        return None
    require("pydicom", "volumes")
    try:
        header = _read(file, stop_before_pixels=True, specific_tags=list(_TAGS))
        list(header)  # pydicom makes a value of an element, or an error, when it is asked for it
        return header if "Rows" in header and "Columns" in header else None
    except Exception as error:  # pydicom raises almost anything on damaged files
        raise DataError(f"cannot read {file}: it is truncated or corrupt ({error}); export it again") from error


def _slice(file: Path, header: Any) -> _Slice:
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise DataError(f"cannot read {file}: it holds many slices in one file (enhanced DICOM); convert it (dcm2niix)")
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise DataError(f"cannot read {file}: a colour picture (a secondary capture?), not a slice of a scan")
    try:
        directions = tuple(float(value) for value in header.ImageOrientationPatient)
        x, y, z = (float(value) for value in header.ImagePositionPatient)
        row, column = (float(value) for value in header.PixelSpacing)
        thickness = float(header.get("SliceThickness") or 1.0)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"cannot read {file}: it does not say where it lies in the patient (orientation, position, pixel spacing); "
            "take it out of the folder if it is no slice (a localizer, a report)"
        ) from error
    rows, columns = int(header.Rows), int(header.Columns)
    if len(directions) != 6 or not np.isfinite([*directions, x, y, z, row, column]).all():
        raise DataError(f"cannot read {file}: its place in the patient is not finite; export it again")
    if not (0 < rows <= _MAX_SIDE and 0 < columns <= _MAX_SIDE):
        raise DataError(f"cannot read {file}: refused, its header says {columns}x{rows} pixels")
    return _Slice(file, (rows, columns), directions, (x, y, z), (row, column), thickness)
