"""Volumes (CT, MR): NIfTI files and DICOM series, read as 8-bit slices; label volumes, written on the same grid."""

from __future__ import annotations

import gzip
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media import metaimage, nrrd
from intarsia.media.dicom import Series, is_series, open_series
from intarsia.media.grids import Axis, Grid
from intarsia.media.maskfile import class_values
from intarsia.media.nifti import Nifti, is_pair, millimetres, reading
from intarsia.media.rawvolumes import RawVolume

VolumeLike = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Window = tuple[float, float]
Voxels = NDArray[np.uint8]

NIFTI_SUFFIXES = (".nii.gz", ".nii")
"""Suffixes of the volumes that are written."""
VOLUME_SUFFIXES = (*NIFTI_SUFFIXES, ".hdr", ".mgz", ".mgh", *nrrd.SUFFIXES, *metaimage.SUFFIXES)
"""Suffixes of the volumes that are read; files ending in .hdr may be something else."""

_PERCENTILES = (0.5, 99.5)
_SAMPLE = 200_000  # voxels from which a volume's own window is found
SLAB = 1 << 24  # voxels that are converted at a time
_CARET = 30  # NIfTI's code of extensions in Caret's XML, where label tables are kept


def is_volume(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path names a volume: by its suffix, of a pair of .hdr and .img and of DICOM by the first bytes."""
    name = os.fspath(path).lower()
    if name.endswith((".hdr", ".img")):
        return is_pair(Path(path))
    return name.endswith(VOLUME_SUFFIXES) or is_series(Path(path))


def volume_stem(path: Path) -> str:
    """A volume's name without its suffix, .nii.gz as one."""
    name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    return Path(name).stem if name.lower().endswith((*VOLUME_SUFFIXES, ".img")) else path.name


class VolumeReader:
    """One opened volume; its voxels are read on demand. Made by `open_volume`.

    Attributes:
        name: path of the file or folder, for messages.
        grid: where the voxels lie.
        notes: what was decided about the file, in sentences.
    """

    def __init__(self, name: str, source: Nifti | RawVolume | Series) -> None:
        self.name = name
        self._source = source
        self.grid: Grid = source.grid
        self.notes: tuple[str, ...] = source.notes

    @property
    def whole_bytes(self) -> int:
        """Bytes of stored values that are held while it is read: all of a compressed file, none of a mapped one."""
        return self._source.whole_bytes

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The values in their unit (Hounsfield units in CT), some stored slices at a time.

        Yields:
            Places along the last stored axis, and their values (X, Y, n).

        Raises:
            DataError: the file is truncated or corrupt.
        """
        with reading(self.name):
            yield from self._source.slabs(max(1, SLAB // max(1, math.prod(self.grid.shape[:2]))))

    def read(self, window: Window | None, axis: Axis) -> Voxels:
        """The whole volume as slices of 8-bit values.

        Args:
            window: (low, high) values that become 0 and 255; None takes the volume's own percentiles 0.5 and 99.5.
            axis: the planes of the slices.

        Returns:
            (D, H, W) uint8, see `Grid.view`; values that are no numbers become 0, which `notes` say then.

        Raises:
            DataError: the file is truncated or corrupt.
        """
        low, high = self.range() if window is None else window
        voxels = np.empty(self.grid.shape, dtype=np.uint8)
        unknown = 0
        for place, values in self.slabs():
            values -= np.float32(low)
            values *= np.float32(255 / (high - low))
            unknown += int(np.isnan(values).sum())
            np.nan_to_num(values, copy=False, nan=0.0)
            voxels[..., place] = np.rint(np.clip(values, 0, 255, out=values), out=values)
        told = f"{100 * unknown / voxels.size:.2g} % of its voxels are no numbers (NaN), and are seen as black"
        if unknown and told not in self.notes:
            self.notes = (*self.notes, told)
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
        if not target.name.lower().endswith(NIFTI_SUFFIXES):
            raise UsageError(f"cannot write the label volume {target}: end its name in .nii.gz or .nii")
        if labels.shape != self.grid.shape:
            raise DataError(f"cannot write {target}: labels {labels.shape} on a grid of {self.grid.shape} voxels")
        nifti = require("nibabel", "volumes")
        source = self._source.header()
        unit, affine = millimetres(source), self.grid.affine.copy()
        affine[:3] /= unit  # so that the labels lie on the volume also for tools that look at no units
        image = nifti.Nifti1Image(labels, affine, source)
        header = image.header
        if unit == 1:
            header.set_xyzt_units("mm")
        header.set_data_dtype(labels.dtype)
        header.set_slope_inter(1, 0)
        header.set_intent("label")
        header["cal_min"], header["cal_max"] = 0, len(space) - 1
        header["descrip"] = b"labels by Intarsia"
        header.extensions.clear()
        header.extensions.append(nifti.nifti1.Nifti1Extension(_CARET, _label_table(space).encode()))
        _packed(image, target)

    def write_values(self, path: Path) -> None:
        """Write the volume itself as NIfTI, its values in their unit: as int16 where all fit, else as float32.

        Raises:
            DataError: it cannot be read, or the file not be written.
        """
        values = np.empty(self.grid.shape, np.float32)
        for place, slab in self.slabs():
            values[..., place] = slab
        whole = bool(np.isfinite(values).all()) and bool((values == np.rint(values)).all())
        short = whole and values.min() >= -32768 and values.max() <= 32767
        nifti = require("nibabel", "volumes")
        image = nifti.Nifti1Image(values.astype(np.int16) if short else values, self.grid.affine)
        image.header.set_xyzt_units("mm")
        _packed(image, path)


def _packed(image: Any, target: Path) -> None:
    """Write a NIfTI image, whole or not at all, without name and time in its archive: equal values, equal files."""
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        if target.name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(file)


def open_volume(source: VolumeLike, *, series: str | None = None) -> VolumeReader:
    """Open a volume by its header, without reading its voxels.

    Args:
        source: a NIfTI-1 or NIfTI-2 file (.nii, .nii.gz), a pair of .hdr and .img (NIfTI, Analyze), FreeSurfer's .mgz,
            NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), a folder that holds a DICOM series, or its files.
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
    name = path.name.lower()
    if name.endswith((*VOLUME_SUFFIXES, ".img")) and path.is_file():
        if series is not None:
            raise UsageError(f"{path} is a single volume; only DICOM folders hold several series")
        readers = {nrrd.SUFFIXES: nrrd.open_nrrd, metaimage.SUFFIXES: metaimage.open_metaimage}
        reader = next((reader for suffixes, reader in readers.items() if name.endswith(suffixes)), None)
        return VolumeReader(str(path), Nifti(path) if reader is None else _opened(path, reader))
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return VolumeReader(str(path), open_series(files, series, name=str(path)))


def _opened(path: Path, reader: Callable[[Path], RawVolume]) -> RawVolume:
    """A volume by its header, with the file's name in what is said of it."""
    try:
        with reading(str(path)):
            found = reader(path)
    except DataError as error:
        said = str(error)
        raise DataError(said if str(path) in said else f"cannot read {path}: {said}") from error
    return replace(found, notes=tuple(f"{path}: {note}" for note in found.notes))


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
