"""GeoTIFF: read by window as bytes, written in rows with georeference, colours and names, outlined on the map."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rasterio import features  # noqa: E402

from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.labels import LabelSpace  # noqa: E402
from intarsia.media.geotiff import GeoTiffWriter  # noqa: E402
from intarsia.media.outlines import write_outlines  # noqa: E402
from intarsia.media.rasters import GeoFrame, check_bands, grid_windows, is_raster, open_raster  # noqa: E402

NORTH_UP = rasterio.Affine(0.3, 0, 616500, 0, -0.3, 3345000)
TURNED = NORTH_UP @ rasterio.Affine.rotation(30)
SPACE = LabelSpace(("ground", "roof", "tree"), ((1, 2, 3), (200, 0, 0), (0, 200, 0)))


def write_raster(path: Path, values: NDArray, *, transform=NORTH_UP, crs: str | None = "EPSG:26914", **profile) -> Path:
    """A GeoTIFF, or JPEG 2000 by its name, of (bands, H, W) values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"width": values.shape[2], "height": values.shape[1], "count": len(values), "dtype": values.dtype}
    if transform is not None:
        profile["transform"] = transform
    colour = profile.pop("colorinterp", None)
    driver = "JP2OpenJPEG" if path.suffix == ".jp2" else "GTiff"
    with rasterio.open(path, "w", driver=driver, crs=crs, **settings, **profile) as file:
        file.write(values)
        if colour:
            file.colorinterp = [rasterio.enums.ColorInterp[name] for name in colour]
    return path


@pytest.fixture(scope="module")
def values() -> NDArray:
    return np.random.default_rng(0).integers(0, 256, (3, 70, 90), dtype=np.uint8)


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"compress": "lzw"},
        {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 32, "blockysize": 16},
        {"interleave": "band", "compress": "lzw"},
        {"photometric": "RGB", "compress": "packbits"},
    ],
)
def test_windows_rows_and_whole_agree(tmp_path: Path, values: NDArray, profile: dict) -> None:
    reader = open_raster(write_raster(tmp_path / "a.tif", values, **profile))
    whole = values.transpose(1, 2, 0)
    assert (reader.width, reader.height) == (90, 70)
    assert np.array_equal(reader.read(), whole)
    assert np.array_equal(reader.window(10, 20, 33, 44), whole[10:43, 20:64])
    edges = [(0, 30), (20, 50), (50, 70)]
    assert all(np.array_equal(got, whole[a:b]) for got, (a, b) in zip(reader.bands(edges), edges, strict=True))
    assert np.abs(reader.thumbnail(9, 7).mean() - whole.mean()) < 3
    assert reader.frame.known and reader.frame.transform == pytest.approx(tuple(NORTH_UP)[:6])
    assert reader.holes(0, 0, 70, 90) is None and reader.notes == ()


def test_no_data_is_where_no_band_has_any(tmp_path: Path) -> None:
    water = np.array([[[0, 0, 9]], [[0, 0, 9]], [[190, 0, 9]]], np.uint8)
    path = write_raster(tmp_path / "a.tif", water, nodata=0)
    assert open_raster(path).holes(0, 0, 1, 3).tolist() == [[False, True, False]]  # type: ignore[union-attr]
    assert open_raster(path, bands=(1,)).holes(0, 0, 1, 3).tolist() == [[True, True, False]]  # type: ignore[union-attr]


@pytest.mark.parametrize("nodata", [None, np.nan, -9999.0])
def test_numbers_that_are_none_are_no_data(tmp_path: Path, nodata: float | None) -> None:
    odd = np.nan if nodata is None else nodata
    values = np.array([[[odd, 1.0, np.inf, 2.0]], [[np.nan, odd, np.nan, 2.0]]], np.float32)
    profile = {} if nodata is None else {"nodata": nodata}
    reader = open_raster(write_raster(tmp_path / "a.tif", values, **profile), bands=(1, 2), windows=((0, 2),))
    assert reader.holes(0, 0, 1, 4).tolist() == [[True, False, True, False]]  # type: ignore[union-attr]
    assert reader.ranges()[0] == pytest.approx((1, 2), abs=0.01)
    assert open_raster(write_raster(tmp_path / "b.tif", values[:, :, 3:]), bands=(1, 2), windows=((0, 2),)).holes(
        0, 0, 1, 1
    ) is None  # fmt: skip


@pytest.mark.parametrize("crs", ["EPSG:4326", None])
def test_ground_control_points_are_kept(tmp_path: Path, crs: str | None) -> None:
    places = [(0, 0, 9.0, 49.0), (0, 80, 9.01, 49.0), (64, 0, 9.0, 48.99), (64, 80, 9.02, 48.98)]
    points = [rasterio.control.GroundControlPoint(*place) for place in places]
    path = write_raster(tmp_path / "a.tif", np.ones((3, 64, 80), np.uint8), transform=None, crs=None)
    system = rasterio.crs.CRS.from_user_input(crs) if crs else rasterio.crs.CRS()
    with rasterio.open(path, "r+") as file:
        file.gcps = (points, system)
    reader = open_raster(path)
    assert is_raster(path) and reader.frame.known and not reader.frame.straight
    assert "by ground control points, which the results keep; gdalwarp makes a straight map" in reader.notes[0]
    with GeoTiffWriter(tmp_path / "b.tif", reader.frame, dtype=SPACE.dtype, nodata=255, space=SPACE) as writer:
        writer.write(np.zeros((64, 80), np.uint8))
    with rasterio.open(tmp_path / "b.tif") as file:
        kept, said = file.gcps
        assert [(one.row, one.col, one.x, one.y) for one in kept] == places
        assert (said.to_epsg() if said else None) == (4326 if crs else None)
    with pytest.raises(DataError, match="has no georeference that regions could be outlined in"):
        write_outlines(tmp_path / "c.geojson", tmp_path / "b.tif", SPACE)


def test_rational_polynomials_are_kept(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((3, 8, 9), np.uint8), transform=None, crs=None)
    lines = {f"{part}_{kind}_coeff": [1.0] * 20 for part in ("line", "samp") for kind in ("num", "den")}
    spans = {f"{name}_{kind}": 2.0 for name in ("height", "lat", "line", "long", "samp") for kind in ("off", "scale")}
    with rasterio.open(path, "r+") as file:
        file.rpcs = rasterio.rpc.RPC(**lines, **spans)
    reader = open_raster(path)
    assert is_raster(path) and "by rational polynomial coefficients (RPC)" in reader.notes[0]
    with GeoTiffWriter(tmp_path / "b.tif", reader.frame, dtype=SPACE.dtype, nodata=255, space=SPACE) as writer:
        writer.write(np.zeros((8, 9), np.uint8))
    with rasterio.open(tmp_path / "b.tif") as file:
        assert file.rpcs.line_num_coeff == [1.0] * 20 and file.rpcs.long_off == 2.0


def test_values_are_stretched_band_by_band(tmp_path: Path) -> None:
    stored = np.array([[[0, 1000, 3000, 9000]], [[-5, 0, 5, 20]]], np.int16)
    reader = open_raster(write_raster(tmp_path / "a.tif", stored), bands=(2, 1), windows=((-5, 5), (0, 3000)))
    assert reader.read()[0].tolist() == [[0, 0], [128, 85], [255, 255], [255, 255]]
    floats = np.array([[[np.nan, 0.0, 0.5, 2.0]]], np.float32)
    one = open_raster(write_raster(tmp_path / "f.tif", floats), windows=((0, 1),))
    assert one.read()[0].tolist() == [[0] * 3, [0] * 3, [128] * 3, [255] * 3]
    low, high = open_raster(tmp_path / "a.tif", bands=(1,), windows=((0, 1),)).ranges()[0]
    assert 0 <= low < high <= 9000


def test_bands_that_a_picture_model_gets(tmp_path: Path, values: NDArray) -> None:
    def used(bands: NDArray, *colours: str) -> tuple[int, ...]:
        return open_raster(write_raster(tmp_path / "a.tif", bands, colorinterp=colours or None)).bands_used

    four = np.concatenate([values, values[:1]])
    assert used(values) == (1, 2, 3)
    assert used(values[:1]) == (1, 1, 1)
    assert used(four, "blue", "green", "red", "undefined") == (3, 2, 1)
    assert used(four, "red", "green", "blue", "alpha") == (1, 2, 3)
    with_alpha = write_raster(tmp_path / "b.tif", values[:2], photometric="minisblack", alpha="yes")
    assert open_raster(with_alpha).bands_used == (1, 1, 1)
    with pytest.raises(DataError, match="5 bands, and none of them is said to be red"):
        used(np.concatenate([four, values[:1]]), *["undefined"] * 5)


def test_what_has_no_data(tmp_path: Path, values: NDArray) -> None:
    marked = values.copy()
    marked[:, 5, 7] = 0
    marked[0, 6, 8] = 0
    marked[1:, 6, 8] = 9
    marked = np.where(marked == 0, np.uint8(0), np.maximum(marked, 1))
    reader = open_raster(write_raster(tmp_path / "a.tif", marked, nodata=0))
    holes = reader.holes(0, 0, 70, 90)
    assert holes is not None and np.array_equal(holes, (marked == 0).all(axis=0))
    assert (
        reader.holes(*next(w for w in grid_windows(70, 90, 4) if not holes[w[0] : w[0] + 4, w[1] : w[1] + 4].any()))
        is None
    )
    alpha = np.concatenate([values, np.full((1, 70, 90), 255, np.uint8)])
    alpha[3, :10] = 0
    shown = open_raster(write_raster(tmp_path / "b.tif", alpha, colorinterp=("red", "green", "blue", "alpha")))
    hidden = shown.holes(0, 0, 20, 90)
    assert hidden is not None and hidden[:10].all() and not hidden[10:].any()


def test_files_that_cannot_be_used(tmp_path: Path, values: NDArray) -> None:
    path = write_raster(tmp_path / "a.tif", values, compress="lzw")
    with pytest.raises(DataError, match=r"it has 3 bands, and band 4 is wanted \(bands 1, 4\)"):
        open_raster(path, bands=(1, 4))
    with pytest.raises(DataError, match="values are uint16, and nothing says which"):
        open_raster(write_raster(tmp_path / "wide.tif", values.astype(np.uint16)))
    with pytest.raises(DataError, match="complex"):
        open_raster(write_raster(tmp_path / "c.tif", values[:1].astype(np.complex64)), windows=((0, 1),))
    whole = path.read_bytes()
    for keep in (len(whole) // 2, 300, 100, 9):
        (tmp_path / "cut.tif").write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"cut\.tif"):
            open_raster(tmp_path / "cut.tif").read()
    (tmp_path / "no.tif").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="neither TIFF nor JPEG 2000"):
        open_raster(tmp_path / "no.tif")
    with pytest.raises(DataError, match="no such file"):
        open_raster(tmp_path / "nothing.tif")
    with pytest.raises(DataError, match="a folder"):
        open_raster(tmp_path)
    # A GDAL description of another file is text, and never followed.
    (tmp_path / "link.tif").write_text(f"<VRTDataset><SourceFilename>{path}</SourceFilename></VRTDataset>")
    with pytest.raises(DataError, match="neither TIFF nor JPEG 2000"):
        open_raster(tmp_path / "link.tif")


@pytest.mark.parametrize("count", [1, 3])
def test_jpeg_2000_lies_on_the_map(tmp_path: Path, values: NDArray, count: int) -> None:
    path = write_raster(tmp_path / "a.jp2", values[:count], QUALITY=100, REVERSIBLE="YES")
    reader = open_raster(path)
    assert is_raster(path) and reader.frame.straight and reader.frame.crs == open_raster(path).frame.crs != ""
    np.testing.assert_allclose(reader.frame.transform, tuple(NORTH_UP)[:6])
    kept = np.broadcast_to(values[:count].transpose(1, 2, 0), (70, 90, 3))
    assert np.array_equal(reader.read(), kept) and np.array_equal(reader.window(5, 7, 20, 30), kept[5:25, 7:37])
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match=r"a\.jp2"):
        open_raster(path).read()


def test_a_raster_without_georeference_is_read_and_said(tmp_path: Path, values: NDArray) -> None:
    reader = open_raster(write_raster(tmp_path / "a.tif", values, transform=None, crs=None))
    assert not reader.frame.known and "has no georeference" in reader.notes[0]
    assert not is_raster(tmp_path / "a.tif")
    assert is_raster(write_raster(tmp_path / "b.tif", values))
    assert not is_raster(tmp_path / "b.png") and not is_raster(tmp_path / "nothing.tif")


def frame(height: int, width: int, transform=NORTH_UP) -> GeoFrame:
    return GeoFrame(width, height, tuple(transform)[:6], rasterio.crs.CRS.from_epsg(26914).to_wkt())


@pytest.mark.parametrize("transform", [NORTH_UP, TURNED], ids=["north up", "turned"])
def test_labels_in_rows_of_any_height_come_back(tmp_path: Path, transform) -> None:
    labels = np.random.default_rng(1).integers(0, 3, (600, 300), dtype=np.uint8)
    labels[3, 4] = 255
    with GeoTiffWriter(
        tmp_path / "out.tif", frame(600, 300, transform), dtype=np.dtype("u1"), nodata=255, space=SPACE
    ) as writer:
        top = 0
        for height in (1, 255, 100, 7, 237):
            writer.write(labels[top : top + height])
            top += height
    with rasterio.open(tmp_path / "out.tif") as file:
        assert np.array_equal(file.read(1), labels)
        assert file.transform.almost_equals(transform) and file.crs.to_epsg() == 26914
        assert file.profile["tiled"] and file.profile["compress"] == "deflate" and file.nodata == 255
        assert file.colormap(1)[1] == (200, 0, 0, 255)
        assert {key: value for key, value in file.tags().items() if key.startswith("CLASS")} == {
            "CLASS_0": "ground", "CLASS_1": "roof", "CLASS_2": "tree",
        }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out.tif"]


def test_a_half_written_file_is_removed(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="too few rows"),
        GeoTiffWriter(tmp_path / "out.tif", frame(20, 10), dtype=np.dtype("u1"), nodata=255, space=SPACE) as writer,
    ):
        writer.write(np.zeros((5, 10), np.uint8))
    with (
        pytest.raises(DataError, match="too many rows"),
        GeoTiffWriter(tmp_path / "out.tif", frame(20, 10), dtype=np.dtype("u1"), nodata=255, space=SPACE) as writer,
    ):
        writer.write(np.zeros((25, 10), np.uint8))
    with pytest.raises(UsageError, match=r"end its name in \.tif"):
        GeoTiffWriter(tmp_path / "out.png", frame(2, 2), dtype=np.dtype("u1"), nodata=255)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may grow beyond 2000 bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows has no limits of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("side", [64, 600])  # GDAL writes the one when it closes, where it tells nobody of errors
def test_a_raster_that_found_no_room_is_no_result(tmp_path: Path, little_room: None, side: int) -> None:
    values = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    target = tmp_path / "out.tif"
    with (
        pytest.raises(DataError, match=r"cannot write .*/out\.tif: the file is larger than this system or its limits"),
        GeoTiffWriter(target, frame(side, side), dtype=np.dtype("u1"), nodata=255) as writer,
    ):
        writer.write(values)
    assert list(tmp_path.iterdir()) == []


def test_16_bit_labels(tmp_path: Path) -> None:
    space = LabelSpace(tuple(f"class {index}" for index in range(300)))
    labels = np.full((4, 5), 299, np.uint16)
    with GeoTiffWriter(tmp_path / "o.tif", frame(4, 5), dtype=space.dtype, nodata=65535, space=space) as writer:
        writer.write(labels)
    with rasterio.open(tmp_path / "o.tif") as file:
        assert np.array_equal(file.read(1), labels) and file.nodata == 65535


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.integers(0, 2**30).map(
        lambda seed: np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (9, 11))
    ),
    transform=st.sampled_from((NORTH_UP, TURNED)),
)
def test_outlines_drawn_again_are_the_labels(tmp_path: Path, labels: NDArray, transform) -> None:
    """Holes, several parts and unlabelled pixels included; areas are those of the pixels."""
    with GeoTiffWriter(
        tmp_path / "l.tif", frame(9, 11, transform), dtype=np.dtype("u1"), nodata=255, space=SPACE
    ) as writer:
        writer.write(labels)
    count = write_outlines(tmp_path / "l.geojson", tmp_path / "l.tif", SPACE)
    found = json.loads((tmp_path / "l.geojson").read_text())
    assert found["type"] == "FeatureCollection" and len(found["features"]) == count
    assert found["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::26914"
    # Drawn again in pixel coordinates, where every edge of a polygon lies between pixels.
    redrawn = np.full(labels.shape, 255, np.uint8)
    for one in found["features"]:
        rings = [[~transform @ point for point in ring] for ring in one["geometry"]["coordinates"]]
        shape = {"type": "Polygon", "coordinates": [np.round(ring).tolist() for ring in rings]}
        features.rasterize([(shape, one["properties"]["index"])], out=redrawn)
    assert np.array_equal(redrawn, labels)
    for index, name in enumerate(SPACE.names):
        mine = [one["properties"] for one in found["features"] if one["properties"]["class"] == name]
        assert sum(one["pixels"] for one in mine) == (labels == index).sum()
        assert sum(one["area"] for one in mine) == pytest.approx((labels == index).sum() * 0.09, abs=1e-5)


def test_a_geopackage_holds_the_same_polygons(tmp_path: Path) -> None:
    """Read by its own standard, table by table (OGC 12-128): the geometries are those of the GeoJSON, bit by bit."""
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (9, 11))
    with GeoTiffWriter(
        tmp_path / "l.tif", frame(9, 11, TURNED), dtype=np.dtype("u1"), nodata=255, space=SPACE
    ) as writer:
        writer.write(labels)
    count = write_outlines(tmp_path / "l.gpkg", tmp_path / "l.tif", SPACE)
    assert count == write_outlines(tmp_path / "l.geojson", tmp_path / "l.tif", SPACE)
    expected = json.loads((tmp_path / "l.geojson").read_text())["features"]
    assert (tmp_path / "l.gpkg").read_bytes()[68:72] == b"GPKG"  # the application's number in SQLite's header
    with closing(sqlite3.connect(tmp_path / "l.gpkg")) as base:
        ((table, column, kind, system),) = base.execute(
            "SELECT table_name, column_name, geometry_type_name, srs_id FROM gpkg_geometry_columns"
        )
        assert (column, kind, system) == ("geom", "POLYGON", 26914)
        assert base.execute("SELECT organization FROM gpkg_spatial_ref_sys WHERE srs_id = 26914").fetchall() == [
            ("EPSG",)
        ]
        assert {row[0] for row in base.execute("SELECT srs_id FROM gpkg_spatial_ref_sys")} == {-1, 0, 4326, 26914}
        rows = base.execute(f'SELECT geom, class, "index", pixels, area FROM {table} ORDER BY fid').fetchall()
    for (blob, *values), one in zip(rows, expected, strict=True):
        assert values == list(one["properties"].values())
        assert blob[:8] == b"GP\x00\x01" + (26914).to_bytes(4, "little")
        order, shape, parts = struct.unpack_from("<BII", blob, 8)
        assert (order, shape, parts) == (1, 3, len(one["geometry"]["coordinates"]))
        place = 17
        for ring in one["geometry"]["coordinates"]:
            (points,) = struct.unpack_from("<I", blob, place)
            found = np.frombuffer(blob, "<f8", 2 * points, place + 4).reshape(-1, 2)
            assert found.tolist() == [list(point) for point in ring]
            place += 4 + 16 * points
        assert place == len(blob)


def test_no_outlines_on_the_map_without_a_map(tmp_path: Path) -> None:
    plain = GeoFrame(3, 2, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "")
    with GeoTiffWriter(tmp_path / "l.tif", plain, dtype=np.dtype("u1"), nodata=255, space=SPACE) as writer:
        writer.write(np.zeros((2, 3), np.uint8))
    with pytest.raises(DataError, match="has no georeference"):
        write_outlines(tmp_path / "l.geojson", tmp_path / "l.tif", SPACE)
    assert [path.name for path in tmp_path.iterdir()] == ["l.tif"]


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), side=st.integers(1, 90))
def test_windows_cover_a_raster_once(height: int, width: int, side: int) -> None:
    seen = np.zeros((height, width), np.uint8)
    for top, left, rows, columns in grid_windows(height, width, side):
        assert 0 < rows <= side and 0 < columns <= side
        seen[top : top + rows, left : left + columns] += 1
    assert (seen == 1).all()


def test_band_numbers_as_users_write_them() -> None:
    assert check_bands("4,3,2") == [4, 3, 2]
    for wrong in ("", "0,1", "a,b", "1;2"):
        with pytest.raises(UsageError, match="numbers from 1"):
            check_bands(wrong)


def test_inria_tiles(real_data: Path) -> None:
    tiles = sorted((real_data / "datasets" / "inria").rglob("train/images/*.tif"))
    if not tiles:
        pytest.skip("no datasets/inria in the real data")
    reader = open_raster(tiles[0])
    with rasterio.open(tiles[0]) as file:
        assert np.array_equal(reader.read(), file.read().transpose(1, 2, 0))
    assert reader.frame.known and is_raster(tiles[0])
