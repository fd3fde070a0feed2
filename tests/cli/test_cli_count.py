"""`intarsia count`: from masks to label images and a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import rasterio
from commands import Cli
from PIL import Image

from intarsia.apps.counting import count_instances
from intarsia.classlists import ClassList


def discs(*middles: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices((40, 60))
    return np.any([(rows - y) ** 2 + (columns - x) ** 2 <= 64 for y, x in middles], axis=0)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    (tmp_path / "masks" / "deep").mkdir(parents=True)
    touching = np.where(discs((12, 14), (12, 28)), 255, 0).astype(np.uint8)
    touching[39, 59] = 255
    Image.fromarray(touching).save(tmp_path / "masks" / "a.png")
    Image.fromarray(np.where(discs((20, 30)), 255, 0).astype(np.uint8)).save(tmp_path / "masks" / "deep" / "b.png")
    return tmp_path / "masks"


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_counts_writes_numbers_and_a_table(cli: Cli, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli("count", masks, "-o", out) == 0
    assert "255 as foreground" in cli.out and "2 label images" in cli.out
    numbers = np.asarray(Image.open(out / "a.instances.png"))
    assert numbers.dtype == np.uint16 and numbers.max() == 2 and numbers[39, 59] == 2
    assert (out / "deep" / "b.instances.png").is_file()
    found = rows(out / "instances.csv")
    assert [(row["mask"], row["instance"], row["class"]) for row in found] == [
        ("a", "1", "foreground"), ("a", "2", "foreground"), ("deep/b", "1", "foreground"),
    ]  # fmt: skip
    assert found[2] == {
        "mask": "deep/b", "instance": "1", "class": "foreground", "size": "197", "x": "30.00", "y": "20.00", "z": "",
        "left": "22", "top": "12", "front": "", "width": "17", "height": "17", "depth": "",
    }  # fmt: skip
    assert cli("count", masks, "-o", out) == 2 and "--overwrite" in cli.err
    assert cli("count", masks, "-o", out, "--overwrite", "--split", "8", "--least", "2", "--json") == 0
    found = json.loads(cli.out)
    assert [one["instances"] for one in found["masks"]] == [2, 1] and found["masks"][0]["classes"] == {"foreground": 2}
    assert np.asarray(Image.open(out / "a.instances.png"))[39, 59] == 0


def test_classes_and_what_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:5, 2:5], labels[2:5, 10:15], labels[5:8, 5:8] = 1, 2, 1
    Image.fromarray(labels).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    pattern = str(tmp_path / "*.png")
    names = ("--classes", "soil,tree,rock")
    assert cli("count", pattern, *names, "--json") == 1
    assert "failed: " in cli.err and "bad.png" in cli.err
    assert json.loads(cli.out)["masks"][0]["classes"] == {"tree": 1, "rock": 1}
    assert cli("count", tmp_path / "good.png", *names, "--of", "tree", "--neighbours", "4", "--json") == 0
    assert json.loads(cli.out)["masks"][0]["classes"] == {"tree": 2}
    assert cli("count", tmp_path / "good.png", *names, "--of", "tre") == 2 and "Did you mean 'tree'" in cli.err
    assert cli("count", tmp_path / "good.png", "--neighbours", "6") == 2 and "4 or 8 neighbours" in cli.err
    assert cli("count", tmp_path / "bad.png") == 3
    (tmp_path / "other").mkdir()
    Image.fromarray(labels).save(tmp_path / "other" / "good.png")
    assert cli("count", tmp_path / "good.png", tmp_path / "other" / "good.png") == 2 and "same name" in cli.err


def test_what_is_no_mask(cli: Cli, masks: Path, tmp_path: Path) -> None:
    assert cli("count", masks, "-o", masks) == 0
    assert cli("count", masks, "-o", masks, "--overwrite", "--json") == 0  # its own label images are no masks
    assert [one["mask"] for one in json.loads(cli.out)["masks"]] == [
        str(masks / "a.png"),
        str(masks / "deep" / "b.png"),
    ]
    assert cli("count", masks / "a.instances.png") == 3 and "label images of an earlier count" in cli.err
    Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20)).save(tmp_path / "photo.png")
    assert cli("count", tmp_path / "photo.png") == 3 and "200 different values, as photographs" in cli.err
    names = ",".join(f"c{index}" for index in range(200))
    assert cli("count", tmp_path / "photo.png", "--classes", names) == 0 and "c199" in cli.out


def test_a_raster_stays_on_the_map(tmp_path: Path) -> None:
    where = rasterio.transform.from_origin(500_000, 200_000, 2, 2)
    profile = {"driver": "GTiff", "width": 60, "height": 40, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "map.tif", "w", transform=where, **profile) as file:
        file.write(discs((12, 14), (30, 40)).astype(np.uint8), 1)
    found = count_instances([tmp_path / "map.tif"], tmp_path / "out")
    assert list(found.masks[0].counts.values()) == [2]
    with rasterio.open(tmp_path / "out" / "map.instances.tif") as written:
        assert written.transform == where and written.crs.to_epsg() == 32633 and written.nodata == 0
        assert written.read(1).max() == 2 and written.dtypes == ("uint16",)


def test_a_volume_keeps_its_grid(tmp_path: Path) -> None:
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[1:3, 1:4, 1:5], labels[5:7, 5:8, 6:9], labels[7, 8, 9] = 2, 2, 1
    affine = np.diag([0.5, 0.5, 2, 1])
    nibabel.save(nibabel.Nifti1Image(labels, affine), tmp_path / "liver.nii.gz")
    found = count_instances([tmp_path / "liver.nii.gz"], tmp_path / "out", least=2)
    assert found.masks[0].counts == {"class_1": 0, "class_2": 2}
    written = nibabel.load(tmp_path / "out" / "liver.instances.nii.gz")
    assert np.array_equal(written.affine, affine) and np.asarray(written.dataobj)[6, 6, 7] == 2
    first = rows(tmp_path / "out" / "instances.csv")[0]
    assert (first["size"], first["x"], first["y"], first["z"], first["depth"]) == ("24", "1.50", "2.00", "2.50", "4")


def test_more_things_than_a_png_can_number(tmp_path: Path) -> None:
    dots = np.zeros((514, 516), np.uint8)
    dots[::2, ::2] = 255
    Image.fromarray(dots).save(tmp_path / "dots.png")
    found = count_instances([tmp_path / "dots.png"], tmp_path / "out")
    assert len(found.masks[0].instances) == 257 * 258
    written = np.asarray(Image.open(tmp_path / "out" / "dots.instances.tif"))
    assert written.dtype == np.int32 and written.max() == 257 * 258


@pytest.mark.parametrize(
    ("values", "options", "counts"),
    [
        ((255, 0), {}, {"foreground": 2}),
        ((1, 255), {}, {"foreground": 2}),
        ((1, 7), {"classes": ClassList(("rest", "cell", "axon"), values=(0, 1, 7))}, {"cell": 2, "axon": 1}),
        ((1, 7), {"ignore": [7]}, {"foreground": 2}),
    ],
)
def test_values_of_volumes_mean_what_those_of_pictures_do(
    tmp_path: Path, values: tuple[int, int], options: dict[str, Any], counts: dict[str, int]
) -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1:3, 1:3, 1:3] = labels[5:7, 1:3, 1:3] = values[0]
    labels[1:3, 5:7, 1:3] = values[1]
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "a.nii.gz")
    assert count_instances([tmp_path / "a.nii.gz"], **options).masks[0].counts == counts


def test_arrays_are_masks_too(cli: Cli, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", discs((12, 14), (30, 40)) > 0)
    for source in (tmp_path, tmp_path / "a.npy", tmp_path / "*.npy"):
        found = count_instances([source], tmp_path / "out", overwrite=True)
        assert (found.masks[0].name, found.masks[0].counts) == ("a", {"foreground": 2})
    assert cli("count", tmp_path / "b.npy") == 3 and "b.npy: it is missing" in cli.err
    assert cli("count", tmp_path / "a.npy", "-o", tmp_path / "a.csv") == 2 and "name a folder" in cli.err


def test_views_of_a_prediction_are_no_masks(masks: Path) -> None:
    (masks / "a.png").rename(masks / "a.mask.png")
    for view in ("overlay.jpg", "confidence.png"):
        Image.fromarray(np.arange(2400, dtype=np.uint8).reshape(40, 60)).save(masks / f"a.{view}")
    assert [one.name for one in count_instances([masks]).masks] == ["a.mask", "deep/b"]
