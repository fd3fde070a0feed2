"""Rasters and volumes."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ordeals.targets import Target, digest, written

VALUES = (np.arange(6 * 5 * 4).reshape(6, 5, 4) * 7 % 100).astype(np.int16)


def read_volume(path: Path) -> str:
    """Read a volume's values, grid and class names."""
    from intarsia.media.volumes import open_volume

    reader = open_volume(path)
    if any("left out" in note for note in reader.notes):
        return f"said: {reader.notes}"
    return digest(*(values for _, values in reader.slabs()), reader.grid.affine.round(3), reader.class_names())


def read_raster(path: Path) -> str:
    """Read a raster's bands and holes."""
    from intarsia.media.rasters import open_raster

    reader = open_raster(path)
    return digest(reader.read(), reader.holes(0, 0, reader.height, reader.width))


def write_raster(path: Path, **profile: object) -> None:
    """A small map."""
    import rasterio

    values = np.random.default_rng(0).integers(0, 256, (3, 34, 30), dtype=np.uint8)
    settings = {"width": 30, "height": 34, "count": 3, "dtype": "uint8", "crs": "EPSG:26914", "driver": "GTiff"}
    with rasterio.open(
        path, "w", transform=rasterio.Affine(0.3, 0, 616500, 0, -0.3, 3345000), **settings, **profile
    ) as f:
        f.write(values)


def _write_indices(path: Path, bits: int, *, inverted: bool = False) -> None:
    """A small map of few bits: of colours by a table, or of grays whose 0 is white."""
    import rasterio

    values = np.random.default_rng(0).integers(0, 1 << bits, (1, 34, 30), dtype=np.uint8)
    settings = {"width": 30, "height": 34, "count": 1, "dtype": "uint8", "crs": "EPSG:26914", "driver": "GTiff"}
    place = rasterio.Affine(0.3, 0, 616500, 0, -0.3, 3345000)
    seen = {"photometric": "miniswhite"} if inverted else {}
    with rasterio.open(path, "w", transform=place, nbits=bits, **settings, **seen) as file:
        file.write(values)
        if not inverted:
            file.write_colormap(1, {value: (value * 9, 255 - value, 7, 255) for value in range(1 << bits)})


def _nrrd(path: Path, *, packed: bool) -> None:
    data = VALUES.tobytes(order="F")
    head = [
        "NRRD0004", "type: short", "dimension: 3", "sizes: 6 5 4", f"encoding: {'gzip' if packed else 'raw'}",
        "endian: little", "space: left-posterior-superior", "space directions: (1,0,0) (0,1,0) (0,0,2)",
        "space origin: (0,0,0)",
    ]  # fmt: skip
    path.write_bytes("\n".join(head).encode() + b"\n\n" + (gzip.compress(data, mtime=0) if packed else data))


def _metaimage(path: Path, *, packed: bool) -> None:
    data = VALUES.tobytes(order="F")
    head = [
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        f"CompressedData = {packed}", "TransformMatrix = 1 0 0 0 1 0 0 0 1", "Offset = 0 0 0", "ElementSpacing = 1 1 2",
        "DimSize = 6 5 4", "ElementType = MET_SHORT", "ElementDataFile = LOCAL",
    ]  # fmt: skip
    path.write_bytes("\n".join(head).encode() + b"\n" + (zlib.compress(data) if packed else data))


def _nifti(path: Path) -> None:
    from volumes_made import write_nifti

    write_nifti(path, VALUES, names={1: "liver"})


def _series(folder: Path) -> Path:
    from volumes_made import write_series

    values: NDArray[np.int16] = VALUES.transpose(2, 1, 0)
    return write_series(folder / "series", values, order="forwards")


def _slice(path: Path) -> None:
    folder = _series(path.parent)
    (folder / "1.2.3-000.dcm").rename(path)
    shutil.rmtree(folder)


def targets() -> Iterator[Target]:
    """Every form of raster and volume."""
    if importlib.util.find_spec("rasterio"):
        tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
        for name, profile in (
            ("strips.tif", {}),
            ("lzw.tif", {"compress": "lzw", **tiled}),
            ("zip.tif", {"compress": "deflate", "predictor": 2, **tiled}),
            ("jpeg.tif", {"compress": "jpeg", "photometric": "ycbcr", **tiled}),
        ):
            yield Target(f"raster-{name}", written(name, lambda path, p=profile: write_raster(path, **p)), read_raster)
        for name, bits, inverted in (("table.tif", 4, False), ("bits.tif", 2, True)):
            yield Target(
                f"raster-{name}",
                written(name, lambda path, bits=bits, inverted=inverted: _write_indices(path, bits, inverted=inverted)),
                read_raster,
            )
    yield Target("raw.nrrd", written("a.nrrd", lambda path: _nrrd(path, packed=False)), read_volume)
    yield Target("gzip.nrrd", written("a.nrrd", lambda path: _nrrd(path, packed=True)), read_volume)
    yield Target("raw.mha", written("a.mha", lambda path: _metaimage(path, packed=False)), read_volume)
    yield Target("packed.mha", written("a.mha", lambda path: _metaimage(path, packed=True)), read_volume)
    if importlib.util.find_spec("nibabel"):
        yield Target("volume.nii", written("a.nii", _nifti), read_volume)
        yield Target("volume.nii.gz", written("a.nii.gz", _nifti), read_volume, sealed=True)
    if importlib.util.find_spec("pydicom"):
        from ordeals.pictures import read_picture

        yield Target("series.dcm", _series, read_volume)
        yield Target("slice.dcm", written("a.dcm", _slice), read_picture)
