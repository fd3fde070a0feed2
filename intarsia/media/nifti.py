"""NIfTI and its relatives (pairs of header and voxels, Analyze, FreeSurfer) through nibabel."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, IntarsiaError, require
from intarsia.media.grids import MAX_VOXELS, Grid

_MOST_PER_BYTE = 1100  # deflate packs at most about 1030 bytes into one
_METRES, _MICROMETRES = 1, 3  # codes of the unit of lengths
_TRAILER = 1 << 20  # bytes that may follow the voxels
_HEADER = (348, 540)  # bytes of the headers of NIfTI-1 (and Analyze) and NIfTI-2
_VOXELS_AT = {348: ("f", 108), 540: ("q", 168)}  # where a header says where the voxels begin


def is_pair(path: Path) -> bool:
    """Tell whether a file ending in .hdr or .img is one of a pair, by the header's first bytes: its own length."""
    header = path.with_suffix(".hdr") if path.suffix.lower() == ".img" else path
    try:
        with header.open("rb") as file:
            size = file.read(4)
    except OSError:
        return False
    return path.is_file() and {int.from_bytes(size, "little"), int.from_bytes(size, "big")} & set(_HEADER) != set()


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _misnamed(path: Path, packed: bool) -> Any:
    """A NIfTI file that is packed although its name does not say so, or the other way round."""
    nifti = require("nibabel", "volumes")
    with gzip.open(path) if packed else path.open("rb") as file:
        size = file.read(4)
    second = _HEADER[1] in (int.from_bytes(size, "little"), int.from_bytes(size, "big"))
    kind = nifti.Nifti2Image if second else nifti.Nifti1Image
    # nibabel reads the voxels later, from the file that it keeps open.
    stream = gzip.open(path) if packed else path.open("rb")  # noqa: SIM115
    return kind.from_file_map({"image": nifti.FileHolder(filename=str(path), fileobj=stream)})


def _check_extensions(path: Path) -> None:
    """Refuse lengths of a header's extensions that reach beyond the file, before memory is taken for them."""
    with path.open("rb") as file:
        size, head = os.fstat(file.fileno()).st_size, file.read(_HEADER[1] + 4)
        order = next((order for order in "<>" if head[:4] in {struct.pack(f"{order}i", one) for one in _HEADER}), None)
        if order is None:
            return
        (length,) = struct.unpack(f"{order}i", head[:4])
        if not head[length : length + 1].strip(b"\0"):
            return
        kind, place = _VOXELS_AT[length]
        (end,) = struct.unpack_from(f"{order}{kind}", head, place)
        place = file.seek(length + 4)
        while place + 8 <= min(end, size):
            (step,) = struct.unpack(f"{order}i", file.read(4))
            if place + max(step, 8) > size:
                raise EOFError(f"an extension of its header tells of {step:,} bytes, which the file does not have")
            place = file.seek(place + max(step, 8))


def _is_analyze(image: Any) -> bool:
    """Tell whether nothing but Analyze's header is there, which does not know left from right."""
    return not isinstance(image, require("nibabel", "volumes").nifti1.Nifti1Pair) and "sizeof_hdr" in image.header


class Nifti:
    """A NIfTI file, a pair of header and voxels (NIfTI, Analyze), or a FreeSurfer volume, through nibabel.

    Attributes:
        grid: where the voxels lie.
        notes: what was decided about the file.
        whole_bytes: of stored values that are held while it is read.

    Raises:
        DataError: missing, damaged, or not a single volume of numbers.
    """

    def __init__(self, path: Path) -> None:
        name = str(path)
        self._path = path
        nifti = require("nibabel", "volumes")
        nifti.imageglobals.logger.handlers.clear()  # it prints what headers lack, beside what is raised or noted here
        with reading(name):
            self._packed = _is_gzip(path)
            if not self._packed:
                _check_extensions(path)
            said_packed = path.name.lower().endswith((".gz", ".mgz"))
            self._image = nifti.load(path) if self._packed == said_packed else _misnamed(path, self._packed)
            header = self._image.header
            shape = tuple(int(side) for side in header.get_data_shape())
            dtype = header.get_data_dtype()
        self._check(name, path, shape, dtype)
        self.whole_bytes = dtype.itemsize * math.prod(shape) if self._packed else 0
        try:
            affine = np.array(self._image.affine, dtype=np.float64)
            unit = millimetres(header)
            affine[:3] *= unit
            self.grid = Grid((shape[0], shape[1], shape[2]), affine, unit)
        except DataError as error:
            raise DataError(f"cannot read {name}: {error}") from error
        self.notes: tuple[str, ...] = _doubts(name, header)
        silent = "the old Analyze format has no room for it" if _is_analyze(self._image) else ""
        if "sform_code" in header and not (int(header["sform_code"]) or int(header["qform_code"])):
            silent = "sform and qform are empty"
        if silent:
            self.notes += (
                f"{name} does not say how the patient lies ({silent}): it is taken as {self.grid.codes}, as other "
                "tools do, and may be mirrored.",
            )

    def _check(self, name: str, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        nifti = require("nibabel", "volumes")
        if not isinstance(self._image, nifti.analyze.AnalyzeImage | nifti.MGHImage):
            raise DataError(f"cannot read {name}: it is no NIfTI, Analyze or FreeSurfer volume")
        if len(shape) < 3 or any(side > 1 for side in shape[3:]):
            kind = f"a time series or a set of {math.prod(shape[3:])} volumes" if len(shape) > 3 else "not a volume"
            raise DataError(
                f"cannot read {name}: its size is {shape}, so it is {kind}; save one volume with three axes"
            )
        if dtype.kind not in "iuf":
            raise DataError(f"cannot read {name}: its voxels are {dtype}, not numbers; save them as integers or floats")
        stored = Path(self._image.file_map["image"].filename or path)
        if not stored.is_file():
            raise DataError(f"cannot read {name}: its voxels are in {stored.name}, which is missing; copy both files")
        size, needed = stored.stat().st_size, dtype.itemsize * math.prod(max(side, 0) for side in shape)
        room = size * (_MOST_PER_BYTE if self._packed else 1)
        if math.prod(shape) <= MAX_VOXELS and needed > room:
            raise DataError(
                f"cannot read {name}: its header announces {needed:,} bytes of voxels, which a file of {size:,} bytes "
                "cannot hold; it is truncated or forged, copy or export it again"
            )

    def slabs(self, count: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        proxy = self._image.dataobj
        slope, offset = np.float32(proxy.slope), np.float32(proxy.inter)
        # Plain files are mapped; compressed ones can only be read from the start, once and whole.
        stored = proxy.get_unscaled() if not self._packed else self._unpacked(proxy)
        stored = stored.reshape(self.grid.shape, order="F")
        for start in range(0, self.grid.shape[2], count):
            place = slice(start, min(start + count, self.grid.shape[2]))
            values = stored[..., place].astype(np.float32)
            if slope != 1 or offset != 0:
                values *= slope
                values += offset
            yield place, values

    def _unpacked(self, proxy: Any) -> NDArray[Any]:
        """All stored values of a compressed file, to its end: there is the checksum, which nibabel does not look at."""
        values: NDArray[Any] = np.empty(math.prod(proxy.shape), dtype=proxy.dtype)
        room = values.data.cast("B")
        with gzip.open(self._path) as stream:
            stream.seek(proxy.offset)
            while room and (count := stream.readinto(room)):
                room = room[count:]
            if room:
                raise EOFError(f"{len(room):,} bytes of voxels are missing")
            stream.read(_TRAILER)
        return values

    def header(self) -> Any:
        return self._image.header.copy()

    def class_names(self) -> dict[int, str]:
        for extension in getattr(self._image.header, "extensions", ()):
            if b"<LabelTable" in extension.content:
                return _read_label_table(extension.content)
        return {}


def millimetres(header: Any) -> float:
    """How many millimetres the unit of lengths in a header is; 1 where it says none, as most writers leave it out."""
    # nibabel's own reading fails at odd codes; other kinds of files have no such header.
    code = 0 if header is None or "xyzt_units" not in header else int(header["xyzt_units"]) % 8
    return {_METRES: 1000.0, _MICROMETRES: 0.001}.get(code, 1.0)


def _doubts(name: str, header: Any) -> tuple[str, ...]:
    """What a NIfTI header says that other tools may pass over, in sentences."""
    notes = []
    if (unit := millimetres(header)) != 1:
        said = "metres" if unit > 1 else "micrometres"
        notes.append(f"{name} gives lengths in {said}, which are taken as such; tools that pass this over differ.")
    if _is_told_twice(header):
        notes.append(
            f"{name} says in two ways how the patient lies (sform and qform), and they differ: the sform is taken, "
            "as most tools do; ITK and 3D Slicer may take the qform."
        )
    return tuple(notes)


def _is_told_twice(header: Any) -> bool:
    """Tell whether sform and qform are both there and do not agree, as one that is damaged does not."""
    if "sform_code" not in header or not (int(header["sform_code"]) and int(header["qform_code"])):
        return False
    sform = header.get_sform()
    try:
        apart = np.abs(sform - header.get_qform()).max()
    except ValueError:  # it is no quaternion
        return True
    return not apart <= 0.01 * float(np.linalg.norm(sform[:3, :3], axis=0).min())


def _read_label_table(packed: bytes) -> dict[int, str]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        labels = fromstring(packed.strip(b"\0 \n")).iter("Label")
        return {int(label.get("Key", "")): (label.text or "").strip() for label in labels}
    except (ParseError, DefusedXmlException, ValueError):
        return {}  # names are a courtesy of the file: without usable ones, the values are called by their numbers


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever a reader raises on damaged files into a `DataError`."""
    try:
        yield
    except IntarsiaError:
        raise
    except PermissionError:
        raise DataError(f"cannot read {name}: permission denied") from None
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"cannot read {name}: the file is truncated or corrupt ({error}); copy it again") from error
    except Exception as error:
        # nibabel raises its own errors, and almost any other on headers that make no sense.
        reason = " ".join(str(error).split()).strip(". ") or type(error).__name__
        raise DataError(f"cannot read {name}: it is not a usable volume ({reason})") from error
