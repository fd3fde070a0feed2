"""Rasters as data sets: any bands, trained in windows read straight from the files, evaluated whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402
from rasterio import warp  # noqa: E402

from intarsia.datasets import PictureSplit, ReadOptions, open_dataset  # noqa: E402
from intarsia.datasets.layouts import rasters  # noqa: E402
from intarsia.datasets.layouts.rasters import RasterSplit  # noqa: E402
from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.media.rasters import RasterReader  # noqa: E402
from intarsia.preprocessing import Preprocessing  # noqa: E402

SIZE = (150, 200)


def write(path: Path, values: NDArray, *, map_: bool = True, **profile: object) -> Path:
    """A GeoTIFF of (bands, H, W) values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if map_:
        profile |= {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 4e6)}
    size = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
        file.write(values)
    return path


def scene(seed: int, bands: int = 3) -> tuple[NDArray, NDArray]:
    random = np.random.default_rng(seed)
    labels = np.kron(random.integers(0, 2, (15, 20)), np.ones((10, 10), int)).astype(np.uint8)
    return (random.integers(0, 90, (bands, *SIZE)) + 100 * labels).astype(np.uint8), labels


def make(folder: Path, count: int = 3, *, bands: int = 3, **profile: object) -> Path:
    for index in range(count):
        values, labels = scene(index, bands)
        write(folder / "images" / f"tile{index}.tif", values, **profile)
        write(folder / "gt" / f"tile{index}.tif", 255 * labels[None], **profile)
    return folder


@pytest.fixture
def split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PictureSplit:
    monkeypatch.setattr(rasters, "_SIDE", 80)
    folder = make(tmp_path, compress="lzw", tiled=True, blockxsize=16, blockysize=32)
    return open_dataset(folder, val_fraction=0).split("all")


def test_maps_are_recognised_and_read_whole(split: PictureSplit) -> None:
    assert isinstance(split, RasterSplit) and len(split) == 3
    for bound in (split, split.for_input(Preprocessing())):
        image, target = bound.read(1)
        values, labels = scene(1)
        assert np.array_equal(image, values.transpose(1, 2, 0)) and np.array_equal(target, labels)


def test_training_sees_windows_that_cover_each_map_once(split: PictureSplit) -> None:
    windows = split.for_training(Preprocessing(), foreground=0)
    assert len(windows) == 3 * 2 * 3  # 150 x 200 in windows of at most 80
    seen = np.zeros(SIZE, int)
    for index, item in enumerate(windows.items[:6]):
        top, left, height, width = item.window  # type: ignore[attr-defined]
        image, target = windows.read(index)
        values, labels = scene(0)
        assert np.array_equal(image, values.transpose(1, 2, 0)[top : top + height, left : left + width])
        assert np.array_equal(target, labels[top : top + height, left : left + width])
        seen[top : top + height, left : left + width] += 1
    assert (seen == 1).all()
    assert len({item.id for item in windows.items}) == len(windows)
    assert windows.count().pixels.sum() == 3 * 150 * 200
    with pytest.raises(UsageError, match=r"input\.long_side: rasters are trained at their own resolution"):
        split.for_training(Preprocessing(long_side=64), foreground=0)


def test_random_windows_are_read_without_the_rest(split: PictureSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = split.for_training(Preprocessing(), foreground=0)
    read: list[tuple[int, int]] = []
    original = RasterReader._samples
    monkeypatch.setattr(
        RasterReader, "_samples", lambda self, file, part: read.append(part[2:]) or original(self, file, part)
    )
    monkeypatch.setattr(
        "intarsia.datasets.pictures.read_stored", lambda file: pytest.fail("the whole mask was decoded")
    )
    places = set()
    for seed in range(30):
        image, target = windows.draw(4, (32, 48), seed)
        assert image.shape == (32, 48, 3) and target.shape == (32, 48)
        assert (image.mean(axis=2) > 95)[target == 1].mean() > 0.99  # they show the same place
        places.add(image.tobytes())
    assert len(places) == 30 and set(read) == {(32, 48)}
    assert np.array_equal(windows.draw(4, (32, 48), 3)[0], windows.draw(4, (32, 48), 3)[0])
    assert windows.draw(0, (500, 48), 0)[0].shape == (150, 48, 3)  # as far as the map goes


def test_masks_of_other_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "_SIDE", 80)
    values, labels = scene(0)
    write(tmp_path / "images" / "a.tif", values)
    (tmp_path / "gt").mkdir()
    Image.fromarray(labels).save(tmp_path / "gt" / "a.png")
    split = open_dataset(tmp_path, val_fraction=0).split("all").for_training(Preprocessing(), foreground=0)
    assert np.array_equal(np.block([[split.read(0)[1], split.read(1)[1], split.read(2)[1]]]), labels[:75])
    (tmp_path / "gt" / "a.png").unlink()
    write(tmp_path / "gt" / "a.tif", labels[None, :100], map_=False)
    with pytest.raises(DataError, match="the mask is 200x100 pixels, its image 200x150"):
        open_dataset(tmp_path, val_fraction=0).split("all").for_training(Preprocessing(), foreground=0).read(0)


def test_no_data_is_not_labelled(tmp_path: Path) -> None:
    values, labels = scene(0)
    values = np.maximum(values, 1)
    values[:, 20:40, 50:90] = 0
    values[:2, 100:120] = 0  # blue has data here
    write(tmp_path / "images" / "a.tif", values, nodata=0)
    write(tmp_path / "gt" / "a.tif", labels[None])
    split = open_dataset(tmp_path, val_fraction=0).split("all").for_input(Preprocessing())
    target = split.read(0)[1]
    assert (target[20:40, 50:90] == 255).all()
    assert (target != 255).sum() == labels.size - 20 * 40


EAST, NORTH = 5e5, 4e6


def placed(folder: Path, transform: Any, labels: NDArray, crs: str | None = "EPSG:32633") -> PictureSplit:
    """One raster of 1 m pixels, and a mask in another place or of other pixels."""
    write(folder / "images" / "a.tif", scene(0)[0])
    write(folder / "gt" / "a.tif", labels[None], map_=False, crs=crs, transform=transform)
    return open_dataset(folder, val_fraction=0).split("all")


@pytest.mark.parametrize("bound", [False, True])
def test_masks_are_read_by_their_georeference(tmp_path: Path, bound: bool) -> None:
    labels = scene(0)[1]
    cases = {
        "south_up": (rasterio.Affine(1, 0, EAST, 0, 1, NORTH - 150), labels[::-1], "stored from south to north"),
        "fine": (rasterio.Affine(0.5, 0, EAST, 0, -0.5, NORTH), np.kron(labels, np.ones((2, 2), np.uint8)), ""),
        "west": (rasterio.Affine(1, 0, EAST - 30, 0, -1, NORTH), labels, r"up to 30 map units \(30 pixels\)"),
        "rounded": (rasterio.Affine(1, 0, EAST + 0.2, 0, -1, NORTH - 0.3), labels, ""),
    }
    for name, (transform, stored, said) in cases.items():
        split = placed(tmp_path / name, transform, stored)
        seen = split.for_input(Preprocessing()) if bound else split
        target = seen.read(0)[1]
        if name == "west":
            assert np.array_equal(target[:, :-30], labels[:, 30:]) and (target[:, -30:] == 255).all()
        else:
            assert np.array_equal(target, labels), name
        dataset = open_dataset(tmp_path / name, val_fraction=0)
        found = [problem for problem in dataset.check().problems if problem.kind.startswith("mask that lies")]
        assert bool(found) == bool(said), name
        assert not dataset.check().errors, name
        if said:
            assert re.search(said, found[0].detail) and found[0].severity == "warning"
            assert any("read by their georeference" in note for note in dataset.notes)


@pytest.mark.parametrize("windows", [False, True])
def test_classes_are_counted_on_the_grid_of_the_rasters(
    tmp_path: Path, windows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.zeros(SIZE, np.uint8)
    labels[:, :50] = 1
    stored = np.kron(labels[:, :100], np.ones((2, 2), np.uint8))  # twice as fine, and only the western half
    monkeypatch.setattr(rasters, "_SIDE", 80)
    split = placed(tmp_path, rasterio.Affine(0.5, 0, EAST, 0, -0.5, NORTH), stored)
    counts = (split.for_training(Preprocessing(), foreground=0) if windows else split).count()
    assert counts.pixels.tolist() == [150 * 50, 150 * 50] and counts.ignored == 150 * 100 and counts.outside == 0
    if not windows:
        report = open_dataset(tmp_path, val_fraction=0).check()
        assert report.counts["all"].pixels.tolist() == [7500, 7500] and report.counts["all"].ignored == 15_000


def test_masks_in_another_reference_system(tmp_path: Path) -> None:
    labels = scene(0)[1]
    x, y = warp.transform("EPSG:32633", "EPSG:4326", [EAST, EAST + 200], [NORTH, NORTH - 150])
    degrees = rasterio.Affine((x[1] - x[0]) / 200, 0, x[0], 0, (y[1] - y[0]) / 150, y[0])
    split = placed(tmp_path, degrees, labels, "EPSG:4326")
    # Near the central meridian of the zone both grids are parallel, so that pixels meet.
    assert (split.for_input(Preprocessing()).read(0)[1] == labels).mean() > 0.98
    assert not [one for one in open_dataset(tmp_path, val_fraction=0).check().problems if "elsewhere" in one.kind]


def test_masks_beside_their_rasters_are_refused(tmp_path: Path) -> None:
    split = placed(tmp_path, rasterio.Affine(1, 0, EAST + 300, 0, -1, NORTH), scene(0)[1])
    said = r"lies up to 300 map units \(300 pixels\) from its image, and covers nothing of it; .*gdal_edit.py -unsetgt"
    with pytest.raises(DataError, match=rf"a\.tif: by its georeference it {said}"):
        split.for_input(Preprocessing()).read(0)
    dataset = open_dataset(tmp_path, val_fraction=0)
    assert "Masks that cannot be used: 1; the first, " in dataset.notes[-1]
    errors = dataset.check().errors
    assert [error.kind for error in errors] == ["mask that does not lie on its image"]
    assert re.search(said, errors[0].detail)


def test_windows_of_displaced_masks_agree_with_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rasters, "_SIDE", 80)
        split = placed(tmp_path, rasterio.Affine(2, 0, EAST - 31, 0, -2, NORTH + 17), scene(1)[1])
        whole = split.for_input(Preprocessing()).read(0)[1]
        windows = split.for_training(Preprocessing(), foreground=0)
        for index, item in enumerate(windows.items):
            top, left, height, width = item.window  # type: ignore[attr-defined]
            assert np.array_equal(windows.read(index)[1], whole[top : top + height, left : left + width])


def test_many_bands_of_any_type(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = scene(0)[1]
    values = random.normal(1000, 100, (5, *SIZE)).astype(np.float32)
    values[4] = labels
    write(tmp_path / "images" / "a.tif", values)
    write(tmp_path / "gt" / "a.tif", labels[None])
    dataset = open_dataset(tmp_path, val_fraction=0)
    split = dataset.split("all")
    assert isinstance(split, RasterSplit)
    bands, windows = split.channels() or ((), ())
    assert bands == (1, 2, 3, 4, 5) and windows[4] == (0, 1)
    assert windows[0] == pytest.approx((1000 - 258, 1000 + 258), abs=12)  # 0.5th and 99.5th percentile
    bound = split.for_input(Preprocessing(mean=(0, 0), std=(1, 1), bands=(5, 1), window=((0, 1), (0, 2000))))
    image, _ = bound.read(0)
    assert np.array_equal(image[..., 0], 255 * labels)
    assert np.abs(image[..., 1] - values[0] * 255 / 2000).max() <= 0.51
    assert split.read(0)[0].shape == (*SIZE, 3)  # without a model: a picture of the first three
    assert not dataset.check().errors
    with pytest.raises(UsageError, match=r"the data in .* are rasters, and the model is for volumes"):
        split.for_input(Preprocessing(mean=(0,), std=(1,), slices=1))


@pytest.mark.parametrize(("bands", "photometric"), [(2, "minisblack"), (4, "rgb"), (3, "minisblack")])
def test_bands_that_are_no_colours_are_not_left_out(tmp_path: Path, bands: int, photometric: str) -> None:
    labels = scene(0)[1]
    values = np.stack([labels * 50 + 9 * band for band in range(bands)]).astype(np.uint8)
    write(tmp_path / "images" / "a.tif", values, map_=False, photometric=photometric, alpha="unspecified")
    write(tmp_path / "gt" / "a.tif", labels[None], map_=False)
    dataset = open_dataset(tmp_path, val_fraction=0)
    split = dataset.split("all")
    assert isinstance(split, RasterSplit)
    every = tuple(range(1, bands + 1))
    bound = split.for_input(Preprocessing(mean=(0,) * bands, std=(1,) * bands, bands=every))
    assert np.array_equal(bound.read(0)[0], values.transpose(1, 2, 0))
    assert split.read(0)[0].shape == (*labels.shape, 3)
    assert not dataset.check().errors


def test_plain_tiffs_and_photos_stay_pictures(tmp_path: Path) -> None:
    split = open_dataset(make(tmp_path, map_=False, photometric="minisblack", bands=1), val_fraction=0).split("all")
    assert type(split) is PictureSplit
    with pytest.raises(UsageError, match="the model is for rasters with certain bands"):
        split.for_input(Preprocessing(mean=(0,), std=(1,), bands=(1,)))
    with pytest.raises(UsageError, match="the model is for volumes"):
        split.for_input(Preprocessing(mean=(0,), std=(1,), slices=1))


def test_the_official_inria_layout_is_read_by_window(real_data: Path) -> None:
    folder = real_data / "datasets" / "inria" / "torchgeo_fake"
    if not folder.is_dir():
        pytest.skip("no datasets/inria in the real data")
    dataset = open_dataset(
        folder, ReadOptions(layout="folder", classes=["background", "building"], palette=[(0, 0, 0), (1, 1, 1)])
    )
    assert all(isinstance(split, RasterSplit) for split in dataset.splits.values())


@pytest.mark.parametrize(
    ("dtype", "profile", "nothing"),
    [
        (np.float32, {}, np.nan),
        (np.float64, {"nodata": -1e30}, -1e30),
        (np.int64, {}, -1),
        (np.int16, {"nodata": -9999}, -9999),
        (np.int8, {}, -1),
        (np.uint8, {"nodata": 7}, 7),
    ],
)
def test_masks_of_any_type_of_number(tmp_path: Path, dtype: type, profile: dict, nothing: float) -> None:
    values, labels = scene(0)
    stored = labels.astype(dtype)
    stored[:10] = nothing
    write(tmp_path / "images/a.tif", values)
    write(tmp_path / "gt/a.tif", stored[None], **profile)
    data = open_dataset(tmp_path, val_fraction=0)
    assert data.space.names == ("background", "foreground")
    expected = np.where(np.arange(150)[:, None] < 10, 255, labels)
    split = data.split("all")
    assert isinstance(split, RasterSplit)
    for bound in (split, split.for_input(Preprocessing())):
        assert np.array_equal(bound.read(0)[1], expected)
    assert split.count().pixels.tolist() == np.bincount(labels[10:].ravel()).tolist()


def test_colour_tables_in_another_order_in_each_mask(tmp_path: Path) -> None:
    colors = {"0": (0, 0, 0), "1": (0, 0, 200)}
    labels = scene(0)[1]
    for number, order in enumerate(((0, 1), (1, 0))):
        write(tmp_path / f"images/{number}.tif", scene(0)[0])
        path = write(tmp_path / f"gt/{number}.tif", np.array(order, np.uint8)[labels][None], photometric="palette")
        with rasterio.open(path, "r+") as file:
            file.write_colormap(1, {order[int(name)]: (*color, 255) for name, color in colors.items()})
    (tmp_path / "label_colors.txt").write_text("0 0 0 ground\n0 0 200 water\n")
    split = open_dataset(tmp_path, val_fraction=0).split("all")
    for bound in (split, split.for_input(Preprocessing())):
        assert [np.array_equal(bound.read(index)[1], labels) for index in (0, 1)] == [True, True]
