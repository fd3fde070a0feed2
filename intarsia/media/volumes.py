"""Volumes (CT, MR): NIfTI files and DICOM series, read as 8-bit slices; label volumes, written on the same grid."""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, IntarsiaError, UsageError, require
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.dicom import Series, is_series, open_series
from intarsia.media.grids import MAX_VOXELS, Axis, Grid
from intarsia.media.maskfile import class_values

VolumeLike = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Window = tuple[float, float]
Voxels = NDArray[np.uint8]

VOLUME_SUFFIXES = (".nii.gz", ".nii")

_PERCENTILES = (0.5, 99.5)
_SAMPLE = 200_000  # voxels from which a volume's own window is found
_SLAB = 1 << 24  # voxels that are converted at a time
_MOST_PER_BYTE = 1100  # deflate packs at most about 1030 bytes into one
_TRAILER = 1 << 20  # bytes that may follow the voxels
_CARET = 30  # NIfTI's code of extensions in Caret's XML, where label tables are kept


def is_volume(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path names a NIfTI file (by its name), a DICOM file or a folder of them (by their first bytes)."""
    return Path(path).name.lower().endswith(VOLUME_SUFFIXES) or is_series(Path(path))


def volume_stem(path: Path) -> str:
    """A volume's name without .nii or .nii.gz."""
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)


class VolumeReader:
    """One opened volume; its voxels are read on demand. Made by `open_volume`.

    Attributes:
        name: path of the file or folder, for messages.
        grid: where the voxels lie.
        notes: what was decided about the file, in sentences.
    """

    def __init__(self, name: str, source: _Nifti | Series) -> None:
        self.name = name
        self._source = source
        self.grid: Grid = source.grid
        self.notes: tuple[str, ...] = source.notes

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The values in their unit (Hounsfield units in CT), some stored slices at a time.

        Yields:
            Places along the last stored axis, and their values (X, Y, n).

        Raises:
            DataError: the file is truncated or corrupt.
        """
        with _reading(self.name):
            yield from self._source.slabs(max(1, _SLAB // max(1, math.prod(self.grid.shape[:2]))))

    def read(self, window: Window | None, axis: Axis) -> Voxels:
        """The whole volume as slices of 8-bit values.

        Args:
            window: (low, high) values that become 0 and 255; None takes the volume's own percentiles 0.5 and 99.5.
            axis: the planes of the slices.

        Returns:
            (D, H, W) uint8, see `Grid.view`; values that are no numbers become 0.

        Raises:
            DataError: the file is truncated or corrupt.
        """
        low, high = self.range() if window is None else window
        voxels = np.empty(self.grid.shape, dtype=np.uint8)
        for place, values in self.slabs():
            values -= np.float32(low)
            values *= np.float32(255 / (high - low))
            np.nan_to_num(values, copy=False, nan=0.0)
            voxels[..., place] = np.rint(np.clip(values, 0, 255, out=values), out=values)
        return np.ascontiguousarray(self.grid.view(voxels, axis))

    def range(self) -> Window:
        """The percentiles 0.5 and 99.5 of the values, of a regular sample of them."""
        step = max(1, math.prod(self.grid.shape) // _SAMPLE)
        sample = np.concatenate([values.ravel()[::step] for _, values in self.slabs()])
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, _PERCENTILES).tolist() if sample.size else (0.0, 1.0)
        return low, high if high > low else low + max(1.0, abs(low))

    def labels(self) -> LabelArray:
        """The volume as class values, in stored order (X, Y, Z); see `stored_labels`."""
        return self.stored_labels()[0]

    def stored_labels(self) -> tuple[LabelArray, str]:
        """The volume as class values, in stored order (X, Y, Z); see `maskfile.class_values`.

        Returns:
            uint8, or uint16 where there are values above 255; and the number that is no class and became 65535, in
            words ("-1", "NaN"; "" for none).

        Raises:
            DataError: damaged, or the values are no classes: fractions, several negative ones, or above 65535.
        """
        labels: LabelArray = np.empty(self.grid.shape, dtype=np.uint8)
        nowhere = ""
        for place, values in self.slabs():
            stored, found = class_values(values, self.name)
            nowhere = found or nowhere
            if stored.dtype != labels.dtype == np.uint8:
                labels = labels.astype(np.uint16)
            labels[..., place] = stored
        return labels, nowhere

    def class_names(self) -> dict[int, str]:
        """Names of the values of a label volume, if the file carries a label table; else empty."""
        return self._source.class_names()

    def write(self, path: str | os.PathLike[str], labels: LabelArray, space: LabelSpace) -> None:
        """Write labels on this volume's grid, with its affine and header, as NIfTI; whole or not at all.

        The class names and colours go into a label table that Connectome Workbench and others read.

        Args:
            path: target ending in .nii or .nii.gz.
            labels: in stored order (X, Y, Z), of `space.dtype`.
            space: the classes.

        Raises:
            UsageError: another suffix.
            DataError: labels of another size, or the file cannot be written.
        """
        target = Path(path)
        if not target.name.lower().endswith(VOLUME_SUFFIXES):
            raise UsageError(f"cannot write the label volume {target}: end its name in .nii.gz or .nii")
        if labels.shape != self.grid.shape:
            raise DataError(f"cannot write {target}: labels {labels.shape} on a grid of {self.grid.shape} voxels")
        nifti = require("nibabel", "volumes")
        image = nifti.Nifti1Image(labels, self.grid.affine, self._source.header())
        header = image.header
        header.set_xyzt_units("mm")
        header.set_data_dtype(labels.dtype)
        header.set_slope_inter(1, 0)
        header.set_intent("label")
        header["cal_min"], header["cal_max"] = 0, len(space) - 1
        header["descrip"] = b"labels by Intarsia"
        header.extensions.clear()
        header.extensions.append(nifti.nifti1.Nifti1Extension(_CARET, _label_table(space).encode()))
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            if target.name.lower().endswith(".gz"):
                # No name and no time in the archive, so that equal labels give equal files.
                with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                    image.to_stream(packed)
            else:
                image.to_stream(file)


def open_volume(source: VolumeLike, *, series: str | None = None) -> VolumeReader:
    """Open a volume by its header, without reading its voxels.

    Args:
        source: a NIfTI-1 or NIfTI-2 file (.nii, .nii.gz), a folder that holds a DICOM series, or its files.
        series: the SeriesInstanceUID to take where a folder holds several; its end is enough.

    Raises:
        DataError: missing, damaged, not a single volume, absurdly large, or a grid that cannot be used; of DICOM also
            several series, missing slices, or slices that do not fit together.
        UsageError: nibabel or pydicom is not installed, or there is no such series.
    """
    if not isinstance(source, str | os.PathLike):
        return VolumeReader(f"{len(source)} DICOM files", open_series([Path(file) for file in source], series))
    path = Path(source)
    if not path.exists():
        raise DataError(f"cannot read {path}: no such file or folder")
    if path.name.lower().endswith(VOLUME_SUFFIXES) and path.is_file():
        if series is not None:
            raise UsageError(f"{path} is a NIfTI file; only DICOM folders hold several series")
        return VolumeReader(str(path), _Nifti(path))
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return VolumeReader(str(path), open_series(files, series, name=str(path)))


def stack(slices: Voxels, index: int, count: int) -> Voxels:
    """A slice with its neighbours as channels ("2.5-D"); beyond the volume's ends its last slice is repeated.

    Args:
        slices: (D, H, W).
        index: the slice in the middle.
        count: an odd number of channels.

    Returns:
        (H, W, count), contiguous.
    """
    near = np.clip(np.arange(index - count // 2, index + count // 2 + 1), 0, len(slices) - 1)
    return np.ascontiguousarray(np.moveaxis(slices[near], 0, -1))


class _Nifti:
    """A NIfTI file, through nibabel."""

    def __init__(self, path: Path) -> None:
        name = str(path)
        self._path = path
        nifti = require("nibabel", "volumes")
        with _reading(name):
            self._image = nifti.load(path)
            header = self._image.header
            shape = tuple(int(side) for side in header.get_data_shape())
            dtype = header.get_data_dtype()
        self._check(name, path, shape, dtype)
        try:
            self.grid = Grid((shape[0], shape[1], shape[2]), np.array(self._image.affine, dtype=np.float64))
        except DataError as error:
            raise DataError(f"cannot read {name}: {error}") from error
        self.notes: tuple[str, ...] = ()
        if not (int(header["sform_code"]) or int(header["qform_code"])):
            self.notes = (
                f"{name} does not say how the patient lies (sform and qform are empty): it is taken as "
                f"{self.grid.codes}, as other tools do, and may be mirrored.",
            )

    def _check(self, name: str, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if not isinstance(self._image, require("nibabel", "volumes").Nifti1Image):
            raise DataError(f"cannot read {name}: it is not a NIfTI file of one part (.nii)")
        if len(shape) < 3 or any(side > 1 for side in shape[3:]):
            kind = f"a time series or a set of {math.prod(shape[3:])} volumes" if len(shape) > 3 else "not a volume"
            raise DataError(
                f"cannot read {name}: its size is {shape}, so it is {kind}; save one volume with three axes"
            )
        if dtype.kind not in "iuf":
            raise DataError(f"cannot read {name}: its voxels are {dtype}, not numbers; save them as integers or floats")
        size, needed = path.stat().st_size, dtype.itemsize * math.prod(max(side, 0) for side in shape)
        room = size * (_MOST_PER_BYTE if path.name.lower().endswith(".gz") else 1)
        if math.prod(shape) <= MAX_VOXELS and needed > room:
            raise DataError(
                f"cannot read {name}: its header announces {needed:,} bytes of voxels, which a file of {size:,} bytes "
                "cannot hold; it is truncated or forged, copy or export it again"
            )

    def slabs(self, count: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        proxy = self._image.dataobj
        slope, offset = np.float32(proxy.slope), np.float32(proxy.inter)
        # Plain files are mapped; compressed ones can only be read from the start, once and whole.
        stored = proxy.get_unscaled() if self._path.suffix.lower() != ".gz" else self._unpacked(proxy)
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
        for extension in self._image.header.extensions:
            if b"<LabelTable" in extension.content:
                return _read_label_table(extension.content)
        return {}


def _label_table(space: LabelSpace) -> str:
    rows = [
        f'<Label Key="{index}" Red="{r / 255:.4f}" Green="{g / 255:.4f}" Blue="{b / 255:.4f}" Alpha="1">'
        f"<![CDATA[{name.replace(']]>', ']] >')}]]></Label>"
        for index, (name, (r, g, b)) in enumerate(zip(space.names, space.palette, strict=True))
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><CaretExtension><VolumeInformation Index="0"><LabelTable>'
        + "".join(rows)
        + "</LabelTable><VolumeType><![CDATA[Label]]></VolumeType></VolumeInformation></CaretExtension>"
    )


def _read_label_table(packed: bytes) -> dict[int, str]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        labels = fromstring(packed.strip(b"\0 \n")).iter("Label")
        return {int(label.get("Key", "")): (label.text or "").strip() for label in labels}
    except (ParseError, DefusedXmlException, ValueError):
        return {}  # names are a courtesy of the file: without usable ones, the values are called by their numbers


@contextmanager
def _reading(name: str) -> Iterator[None]:
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
        raise DataError(f"cannot read {name}: it is not a usable NIfTI file ({reason})") from error
