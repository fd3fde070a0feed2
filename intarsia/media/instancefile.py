"""Label images of instances: every thing has its number from 1, and 0 is between them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
from PIL import Image

from intarsia.errors import DataError, require
from intarsia.files import atomic_path
from intarsia.instances import Numbers
from intarsia.media.geotiff import GeoTiffWriter
from intarsia.media.grids import Grid
from intarsia.media.rasters import GeoFrame

MOST_IN_PNG = 65_535


def save_png(path: Path, numbers: Numbers) -> None:
    """Write (H, W) numbers as a 16-bit PNG.

    Raises:
        DataError: there are more things than it can number.
    """
    if int(numbers.max(initial=0)) > MOST_IN_PNG:
        raise DataError(
            f"{path}: a PNG numbers {MOST_IN_PNG:,} things, and these are {int(numbers.max()):,}; leave out the "
            "smallest (--least)"
        )
    _save(path, Image.fromarray(numbers.astype(np.uint16)), "PNG")


def save_tiff(path: Path, numbers: Numbers) -> None:
    """Write (H, W) numbers as a 32-bit TIFF."""
    _save(path, Image.fromarray(numbers), "TIFF", compression="tiff_adobe_deflate")


def save_geotiff(path: Path, numbers: Numbers, frame: GeoFrame) -> None:
    """Write (H, W) numbers as a GeoTIFF of 16 bits, or 32 where they are needed."""
    kind = numbers.astype(np.uint16 if numbers.max(initial=0) <= MOST_IN_PNG else np.uint32)
    with GeoTiffWriter(path, frame, dtype=kind.dtype, nodata=0) as writer:
        writer.write(kind)


def save_nifti(path: Path, numbers: Numbers, grid: Grid) -> None:
    """Write (X, Y, Z) numbers as a NIfTI file on a grid; the same bytes every time."""
    image = require("nibabel", "volumes").Nifti1Image(numbers, grid.affine)
    image.header.set_xyzt_units("mm")
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        image.to_stream(packed)


def _save(path: Path, picture: Image.Image, form: str, **options: str) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
