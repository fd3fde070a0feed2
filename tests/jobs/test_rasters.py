"""Jobs on rasters: rows of tiles straight into a GeoTIFF on the same grid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from jobs_made import files, job  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import Tensor  # noqa: E402

from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.inference import Predictor  # noqa: E402
from intarsia.jobs import JobOptions, plan, run_all  # noqa: E402
from intarsia.media.rasters import RasterReader  # noqa: E402
from intarsia.models import ImageModel  # noqa: E402
from intarsia.preprocessing import Preprocessing  # noqa: E402

MakePredictor = Callable[..., Predictor]
PLACE = rasterio.Affine(2, 0, 500000, 0, -2, 4000000)


class Brighter(ImageModel):
    """Stride 1: whether the mean over the channels is above one half."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.in_channels = channels
        self.gain = torch.nn.Parameter(torch.tensor(10.0))

    def logits(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return torch.cat([torch.zeros_like(mean), (mean - 0.5) * self.gain], dim=1)


def write(
    path: Path, values: NDArray, *, transform: Any = PLACE, crs: str | None = "EPSG:32633", **profile: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile |= {"transform": transform} if transform is not None else {}
    size = {"width": values.shape[2], "height": values.shape[1], "count": len(values), "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, **size, **profile) as file:
        file.write(values)
    return path


def blocks(height: int, width: int, bands: int = 3, seed: int = 0) -> NDArray:
    """Bright and dark blocks of 8 pixels."""
    chosen = np.random.default_rng(seed).choice(np.array([20, 230], np.uint8), (-(-height // 8), -(-width // 8)))
    return np.repeat(np.kron(chosen, np.ones((8, 8), np.uint8))[None, :height, :width], bands, axis=0)


@pytest.fixture
def predictor(make_predictor: MakePredictor) -> Predictor:
    return make_predictor(Brighter(), confidence=True)


def read(path: Path) -> NDArray:
    with rasterio.open(path) as file:
        found: NDArray = file.read(1)
        return found


def one(predictor: Predictor, source: Path, out: Path, *outputs: str, **options: Any) -> dict[str, Any]:
    """The record of one raster that is written to one file; what goes wrong with it is raised."""
    (record,) = job(predictor, source, out, outputs=outputs, **options).records
    if record["error"]:
        raise DataError(record["error"])
    return record


def test_labels_confidence_outlines_and_overlay(predictor: Predictor, tmp_path: Path) -> None:
    values = blocks(300, 200)
    source = write(tmp_path / "map.tif", values, compress="lzw", tiled=True, blockxsize=64, blockysize=64)
    seen: list[tuple[int, int]] = []
    result = one(
        predictor, source, tmp_path / "out.tif", "polygons", "confidence", "overlay",
        tell=lambda task, done, total: seen.append((done, total)),
    )  # fmt: skip
    expected = (values[0] > 127).astype(np.uint8)
    assert np.array_equal(read(tmp_path / "out.tif"), expected)
    assert result["size"] == [200, 300] and result["areas"] == pytest.approx(
        {"dark": 1 - expected.mean(), "bright": expected.mean()}
    )
    assert seen[-1] == (300, 300)
    with rasterio.open(tmp_path / "out.tif") as file:
        assert file.transform == PLACE and file.crs.to_epsg() == 32633 and file.tags()["CLASS_1"] == "bright"
    # Logits 0 and 10 (230 / 255 - 0.5) or 10 (20 / 255 - 0.5).
    sure = {0: 1 / (1 + np.exp(10 * (20 / 255 - 0.5))), 1: 1 / (1 + np.exp(-10 * (230 / 255 - 0.5)))}
    expected_sure = np.vectorize(lambda label: round(100 * sure[label]))(expected)
    assert np.abs(read(tmp_path / "out.confidence.tif").astype(int) - expected_sure).max() <= 1
    outlines = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert result["details"]["polygons"] == len(outlines)
    assert sum(each["properties"]["area"] for each in outlines) == pytest.approx(300 * 200 * 4)
    assert (tmp_path / "out.overlay.jpg").is_file()


@pytest.mark.usefixtures("tiled")
def test_rows_are_read_as_they_are_needed_and_never_more(
    make_predictor: MakePredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However high the map, no window is higher than a tile and its margins; this is what bounds the memory."""
    source = write(tmp_path / "map.tif", blocks(1500, 96), tiled=True, blockxsize=32, blockysize=32)
    sizes: list[tuple[int, int]] = []
    original = RasterReader._samples

    def samples(self: RasterReader, file: Any, part: tuple[int, int, int, int]) -> NDArray:
        sizes.append(part[2:])
        return original(self, file, part)

    monkeypatch.setattr(RasterReader, "_samples", samples)
    one(make_predictor(Brighter(), tile=128, overlap=32), source, tmp_path / "out.tif")
    assert len(sizes) > 10 and max(height for height, _ in sizes) <= 128 + 2 * 32
    assert np.array_equal(read(tmp_path / "out.tif"), (blocks(1500, 96)[0] > 127).astype(np.uint8))


def test_the_bands_and_ranges_of_the_model(make_predictor: MakePredictor, tmp_path: Path) -> None:
    near = blocks(40, 48, seed=1).astype(np.float32)[0] * 10
    values = np.stack([np.zeros_like(near), near, np.full_like(near, 7), near, np.full_like(near, -1)])
    source = write(tmp_path / "five.tif", values)
    preprocessing = Preprocessing(mean=(0.0, 0.0), std=(1.0, 1.0), bands=(2, 4), window=(0.0, 2550.0))
    predictor = make_predictor(Brighter(2), preprocessing=preprocessing)
    one(predictor, source, tmp_path / "out.tif")
    assert np.array_equal(read(tmp_path / "out.tif"), (near > 1275).astype(np.uint8))
    assert np.array_equal(predictor.segment(source).labels, (near > 1275).astype(np.uint8))
    with pytest.raises(DataError, match="it has 3 bands, and band 4 is wanted"):
        one(predictor, write(tmp_path / "three.tif", values[:3]), tmp_path / "o.tif")
    with pytest.raises(DataError, match=r"not a TIFF|is for rasters"):
        predictor.segment(np.zeros((8, 8, 3), np.uint8))
    chosen = make_predictor(Brighter(), bands=(4, 2, 4), window=(0, 2550))
    one(chosen, source, tmp_path / "chosen.tif")
    assert np.array_equal(read(tmp_path / "chosen.tif"), (near > 1275).astype(np.uint8))
    with pytest.raises(UsageError, match="a value for each of 2 channels"):
        make_predictor(Brighter(), bands=(1, 2))


def test_pixels_without_data_are_not_labelled(predictor: Predictor, tmp_path: Path) -> None:
    values = blocks(64, 64)
    values[:, :10] = 0
    source = write(tmp_path / "map.tif", values, nodata=0)
    result = one(predictor, source, tmp_path / "out.tif", "confidence", "polygons")
    found = read(tmp_path / "out.tif")
    assert (found[:10] == 255).all() and (found[10:] < 2).all()
    assert (read(tmp_path / "out.confidence.tif")[:10] == 255).all()
    assert sum(result["areas"].values()) == pytest.approx(54 / 64)
    outlines = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert sum(each["properties"]["pixels"] for each in outlines) == 54 * 64


def test_a_turned_map_stays_turned(predictor: Predictor, tmp_path: Path) -> None:
    turned = PLACE @ rasterio.Affine.rotation(25)
    values = np.full((3, 16, 24), 230, np.uint8)
    one(predictor, write(tmp_path / "a.tif", values, transform=turned), tmp_path / "o.tif", "polygons")
    with rasterio.open(tmp_path / "o.tif") as file:
        assert file.transform.almost_equals(turned)
    (outline,) = json.loads((tmp_path / "o.geojson").read_text())["features"]
    corners = {tuple(np.round(turned @ corner, 3)) for corner in ((0, 0), (24, 0), (24, 16), (0, 16))}
    assert {tuple(np.round(point, 3)) for point in outline["geometry"]["coordinates"][0]} == corners
    assert outline["properties"]["area"] == pytest.approx(24 * 16 * 4)


def test_without_a_georeference(predictor: Predictor, tmp_path: Path) -> None:
    source = write(tmp_path / "plain.tif", blocks(32, 32), transform=None, crs=None)
    result = one(predictor, source, tmp_path / "out.tif")
    assert "has no georeference" in result["notes"][0]
    with pytest.raises(DataError, match=r"plain\.tif has no georeference, so its regions have no map coordinates"):
        one(predictor, source, tmp_path / "two.tif", "polygons")
    assert not (tmp_path / "two.tif").exists()


def test_a_model_that_resizes_says_so(make_predictor: MakePredictor, tmp_path: Path) -> None:
    source = write(tmp_path / "map.tif", blocks(64, 96))
    result = one(make_predictor(Brighter(), long_side=48), source, tmp_path / "out.tif")
    few, said = result["notes"]
    assert "it has 2 colours alone" in few
    assert said == "the model sees the map reduced to 48 pixels, as it was trained; --long-side 0 keeps its own size."
    assert one(make_predictor(Brighter()), source, tmp_path / "out.tif", overwrite=True)["notes"] == [few]


def test_wrong_calls_leave_nothing_behind(predictor: Predictor, make_predictor: MakePredictor, tmp_path: Path) -> None:
    source = write(tmp_path / "map.tif", blocks(300, 300), compress="lzw")
    with pytest.raises(UsageError, match="would be written over it"):
        one(predictor, source, source)
    with pytest.raises(UsageError, match="needs a predictor that was made with confidence=True"):
        one(make_predictor(Brighter()), source, tmp_path / "o.tif", "confidence")
    whole = source.read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.tif"):
        one(predictor, tmp_path / "cut.tif", tmp_path / "o.tif")
    with pytest.raises(UsageError, match=r"photo\.jpg to .*o\.tif: those of pictures are written as \.png"):
        one(predictor, tmp_path / "photo.jpg", tmp_path / "o.tif")
    assert files(tmp_path) == ["cut.tif", "map.tif"]


def test_jobs_keep_the_georeference(predictor: Predictor, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.tif", blocks(40, 40))
    write(tmp_path / "in" / "b.tif", blocks(40, 40), transform=None, crs=None, photometric="RGB")
    outputs = ("labels", "overlay", "polygons")
    with pytest.raises(UsageError, match="polygons is not written of pictures"):
        job(predictor, tmp_path / "in", tmp_path / "out", outputs=outputs)
    result = job(predictor, tmp_path / "in", tmp_path / "out")
    assert {record["status"] for record in result.records} == {"done"}
    assert [record["medium"] for record in result.records] == ["raster", "picture"]
    assert files(tmp_path / "out") == [
        "a.mask.tif", "a.overlay.jpg", "b.mask.png", "b.overlay.jpg", "manifest.jsonl",
    ]  # fmt: skip
    assert len(job(predictor, tmp_path / "in" / "a.tif", tmp_path / "map", outputs=outputs).done) == 1
    assert files(tmp_path / "map") == ["a.mask.geojson", "a.mask.tif", "a.overlay.jpg", "manifest.jsonl"]
    record = one(predictor, tmp_path / "in" / "a.tif", tmp_path / "one.tif", "polygons", "confidence")
    assert list(record["outputs"].values()) == ["one.tif", "one.geojson", "one.confidence.tif"]
    as_picture = one(predictor, tmp_path / "in" / "a.tif", tmp_path / "a.png", "confidence")
    assert as_picture["outputs"] == {"labels": "a.png", "confidence": "a.confidence.png"}


def test_polygons_of_some_classes_without_specks_and_steps(predictor: Predictor, tmp_path: Path) -> None:
    values = np.full((3, 80, 80), 20, np.uint8)
    values[:, 10:60, 10:60] = 230
    values[:, 30:32, 30:32] = 20  # a hole of 4 pixels
    values[:, 70, 70] = 230  # a speck
    for step in range(20):  # a staircase along the corner of the square
        values[:, 10 + step, 10 : 30 - step] = 20
    source = write(tmp_path / "map.tif", values)

    def outlined(name: str, **options: object) -> list[dict]:
        made = plan(str(source), str(tmp_path / f"{name}.tif"), outputs=["polygons"])
        run_all(predictor, made, options=JobOptions(**options))
        return json.loads((tmp_path / f"{name}.geojson").read_text())["features"]

    every = outlined("every")
    assert [one["properties"]["class"] for one in every].count("bright") == 2
    assert {one["properties"]["class"] for one in outlined("bright", keep=("bright",))} == {"bright"}
    (large,) = outlined("large", keep=("bright",), outline_least_area=20.0)
    exact = next(one for one in every if one["properties"]["pixels"] == large["properties"]["pixels"])
    assert len(exact["geometry"]["coordinates"]) == 2 and len(large["geometry"]["coordinates"]) == 1
    assert large["geometry"]["coordinates"][0] == exact["geometry"]["coordinates"][0]
    (smooth,) = outlined("smooth", keep=("bright",), outline_least_area=20.0, outline_tolerance=3.0)
    ring, steps = (np.array(one["geometry"]["coordinates"][0]) for one in (smooth, large))
    assert len(steps) > 40 and len(ring) < 10 and (ring[0] == ring[-1]).all()
    assert smooth["properties"] == large["properties"]
    with pytest.raises(UsageError, match="outline_tolerance is a number of at least 0, not -1"):
        JobOptions(outline_tolerance=-1.0)
