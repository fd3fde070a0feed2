"""GeoTIFF whose numbers are no 8-bit shades: colour tables, fewer bits, white stored as 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from intarsia.media.rasters import is_raster, open_raster  # noqa: E402

COLORS = np.array([(10, 20, 30), (200, 0, 0), (0, 200, 90), (255, 255, 255)], np.uint8)
NUMBERS = np.random.default_rng(0).integers(0, 4, (20, 30)).astype(np.uint8)
GRAY = np.random.default_rng(1).integers(0, 256, (20, 30)).astype(np.uint8)


def write(path: Path, values: NDArray[Any], *, on_map: bool = True, **profile: Any) -> Path:
    table = profile.pop("table", None)
    if on_map:
        profile |= {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 500000, 0, -2, 5000000)}
    size = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
        file.write(values[None])
        if table is not None:
            file.write_colormap(1, {index: (*map(int, color), 255) for index, color in enumerate(table)})
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_colour_table_says_what_is_seen(tmp_path: Path, kind: type) -> None:
    reader = open_raster(write(tmp_path / "a.tif", NUMBERS.astype(kind), table=COLORS, photometric="PALETTE"))
    assert (reader.read() == COLORS[NUMBERS]).all()
    assert (reader.window(3, 4, 5, 6) == COLORS[NUMBERS[3:8, 4:10]]).all()
    assert (np.concatenate(list(reader.bands([(0, 7), (7, 20)]))) == COLORS[NUMBERS]).all()
    assert {tuple(color) for color in reader.thumbnail(10, 6).reshape(-1, 3)} <= {tuple(color) for color in COLORS}


def test_numbers_count_where_a_band_or_a_range_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tif", NUMBERS, table=COLORS)
    assert (open_raster(file, bands=(1,)).read()[..., 0] == NUMBERS).all()
    assert (open_raster(file, windows=((0, 3),)).read()[..., 0] == NUMBERS * 85).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_reach_from_black_to_white(tmp_path: Path, bits: int) -> None:
    most = (1 << bits) - 1
    numbers = np.minimum(NUMBERS, most)
    shown = open_raster(write(tmp_path / "a.tif", numbers, nbits=bits)).read()
    assert (shown == (numbers.astype(int) * 255 // most)[..., None]).all()


@pytest.mark.parametrize("profile", [{}, {"nbits": 1}])
def test_white_that_is_stored_as_0_is_white(tmp_path: Path, profile: dict[str, int]) -> None:
    gray = GRAY if not profile else np.where(GRAY > 99, 255, 0).astype(np.uint8)
    stored = 255 - gray if not profile else (gray == 0).astype(np.uint8)
    file = write(tmp_path / "a.tif", stored, photometric="MINISWHITE", **profile)
    assert (open_raster(file).read() == gray[..., None]).all()
    loose = write(tmp_path / "b.tif", stored, on_map=False, photometric="MINISWHITE", **profile)
    assert not is_raster(loose)  # a scanned page is a picture


def test_a_range_of_an_inverted_raster_is_one_of_stored_values(tmp_path: Path) -> None:
    stored = 65535 - GRAY.astype(np.uint16) * 257
    file = write(tmp_path / "a.tif", stored, photometric="MINISWHITE")
    assert (open_raster(file, windows=((0, 65535),)).read() == GRAY[..., None]).all()
