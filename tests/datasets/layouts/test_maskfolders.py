"""Two folders of masks: which files belong together, and what their values mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.classlists import ClassList
from intarsia.datasets.layouts.maskfolders import MaskFolders, open_mask_folders
from intarsia.errors import DataError


def write(folder: Path, **masks: list[list[int]] | np.ndarray) -> Path:
    for name, values in masks.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(values, np.uint8)).save(path)
    return folder


def read_all(found: MaskFolders) -> list[tuple[list[int], list[int]]]:
    pairs = (found.read(prediction, truth) for _, prediction, truth in found.pairs)
    return [(labels.ravel().tolist(), target.ravel().tolist()) for labels, target in pairs]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "pred", tmp_path / "truth"


def test_names_are_matched_through_affixes_and_role_folders(folders: tuple[Path, Path]) -> None:
    prediction = write(folders[0], **{"a.mask": [[0, 1]], "a.overlay": [[9, 9]], "sub__b": [[1, 1]], "only": [[0, 0]]})
    write(folders[0], **{"a.confidence": [[90, 99]], "a.colors": [[7, 9]], "sub__b.instances": [[1, 2]]})
    np.save(folders[0] / "a.probabilities.npy", np.full((2, 1, 2), 0.5, np.float32))
    truth = write(folders[1], masks__a=[[0, 0]], masks__sub__b_label=[[1, 0]], masks__c=[[0, 1]])
    found = open_mask_folders(prediction, truth)
    assert [name for name, *_ in found.pairs] == ["a", "sub/b_label"]
    assert [path.name for path in found.missing] == ["c.png"] and [path.name for path in found.extra] == ["only.png"]
    assert read_all(found) == [([0, 1], [0, 0]), ([1, 1], [1, 0])]


def test_values_mean_the_same_on_both_sides(folders: tuple[Path, Path]) -> None:
    # alone, the predictions would look binary (background, foreground), the truth like classes 0 to 3
    prediction, truth = write(folders[0], a=[[0, 1, 1, 0]]), write(folders[1], a=[[0, 1, 3, 255]])
    found = open_mask_folders(prediction, truth)
    assert found.truth.space.names == ("class_0", "class_1", "class_2", "class_3")
    assert read_all(found) == [([0, 1, 1, 0], [0, 1, 3, 255])]


@pytest.mark.parametrize("whites", [(1, 255), (255, 1), (255, 255), (1, 1)])
def test_binary_masks_with_any_white(folders: tuple[Path, Path], whites: tuple[int, int]) -> None:
    prediction = write(folders[0], a=[[0, whites[0], whites[0], 0]])
    truth = write(folders[1], a=[[0, whites[1], 0, whites[1]]])
    found = open_mask_folders(prediction, truth)
    assert found.truth.space.names == ("background", "foreground")
    assert read_all(found) == [([0, 1, 1, 0], [0, 1, 0, 1])]


def test_indices_against_colours_need_names(folders: tuple[Path, Path]) -> None:
    colors = np.array([[[10, 20, 30], [0, 0, 255], [0, 0, 0]]])
    prediction, truth = write(folders[0], a=[[1, 0, 1]]), write(folders[1], a=colors)
    with pytest.raises(DataError, match="colour-coded"):
        open_mask_folders(prediction, truth)
    (truth / "classes.txt").write_text("10 20 30 road\n0 0 255 car\n0 0 0 void\n")
    found = open_mask_folders(prediction, truth)
    assert found.truth.space.names == ("road", "car")
    assert read_all(found) == [([1, 0, 1], [0, 1, 255])]


def test_given_names_and_ignored_values(folders: tuple[Path, Path]) -> None:
    prediction, truth = write(folders[0], a=[[0, 1, 1, 9]]), write(folders[1], a=[[0, 1, 9, 0]])
    found = open_mask_folders(prediction, truth, classes=ClassList(("road", "car")), ignore=[9])
    assert read_all(found) == [([0, 1, 1, 255], [0, 1, 255, 0])]
    with pytest.raises(DataError, match="hold the values 0, 1, 9, but classes names 2 classes"):
        open_mask_folders(prediction, truth, classes=ClassList(("road", "car")))


def test_what_does_not_fit_is_explained(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pred: no such file or folder"):
        open_mask_folders(*folders)
    write(folders[0], x=[[0, 1]])
    (tmp_path / "truth").mkdir()
    with pytest.raises(DataError, match="truth: no masks in this folder"):
        open_mask_folders(*folders)
    write(folders[1], y=[[0, 1]])
    with pytest.raises(DataError, match=r"has the name of one in .*truth: for instance x\.png and y\.png"):
        open_mask_folders(*folders)
    write(folders[1], x=[[0], [1]])
    found = open_mask_folders(*folders)
    with pytest.raises(DataError, match=r"x\.png is 2x1 pixels, .*x\.png is 1x2: .*export the prediction"):
        read_all(found)
    (folders[0] / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of the masks can be read"):
        open_mask_folders(*folders)


def test_of_two_masks_with_one_name_the_first_is_used(folders: tuple[Path, Path]) -> None:
    prediction, truth = write(folders[0], a=[[0, 1]]), write(folders[1], a=[[0, 1]])
    Image.fromarray(np.zeros((1, 2), np.uint8)).save(prediction / "a.tif")
    found = open_mask_folders(prediction, truth)
    assert len(found.pairs) == 1
    assert any("is a second mask with the name of" in note for note in found.notes)


def test_soft_edges_of_few_shades_against_sharp_ones(folders: tuple[Path, Path]) -> None:
    sharp = np.kron([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.ones((9, 9), int)) * 255
    soft = sharp.copy()
    soft[9:18, 9], soft[9:18, 8], soft[8, 9:18] = 191, 64, 100
    found = open_mask_folders(write(folders[0], a=soft), write(folders[1], a=sharp))
    assert found.truth.space.names == ("background", "foreground")
    ((labels, target),) = read_all(found)
    assert labels == target == (sharp.ravel() // 255).tolist()


def test_class_numbers_against_gray_levels(folders: tuple[Path, Path]) -> None:
    prediction, truth = write(folders[0], a=[[0, 1, 2, 2]]), write(folders[1], a=[[0, 127, 255, 127]])
    found = open_mask_folders(prediction, truth, classes=ClassList(("a", "b", "c")))
    assert read_all(found) == [([0, 1, 2, 2], [0, 1, 2, 1])]
    with pytest.raises(DataError, match=r"predictions hold the values 0-2, the truth 0, 127, 255.*name the classes"):
        open_mask_folders(prediction, truth)


def test_palette_files_of_any_order_against_gray_ones(folders: tuple[Path, Path]) -> None:
    truth = write(folders[1], a=[[0, 255, 255]], b=[[255, 0, 0]])
    folders[0].mkdir()
    for name, indices, palette in (("a", [0, 1, 1], [0, 0, 0, 255, 255, 255]), ("b", [0, 1, 1], [255] * 3 + [0] * 3)):
        image = Image.fromarray(np.array([indices], np.uint8), "P")
        image.putpalette(palette)
        image.save(folders[0] / f"{name}.png")
    assert read_all(open_mask_folders(folders[0], truth)) == [([0, 1, 1], [0, 1, 1]), ([1, 0, 0], [1, 0, 0])]


def test_arrays_and_opaque_colours(folders: tuple[Path, Path]) -> None:
    truth = write(folders[1], a=[[0, 1, 2]], b=np.array([[[0, 0, 0, 255], [2, 2, 2, 255], [1, 1, 1, 255]]]))
    folders[0].mkdir()
    np.save(folders[0] / "a.npy", np.array([[0, 1, 1]]))
    np.save(folders[0] / "b.npy", np.array([[0.0, 2.0, 1.0]], np.float32))
    assert read_all(open_mask_folders(folders[0], truth)) == [([0, 1, 1], [0, 1, 2]), ([0, 2, 1], [0, 2, 1])]


def test_rasters_that_lie_elsewhere_than_their_truth_are_told(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    for folder, left in (("pred", 20), ("truth", 0)):
        (tmp_path / folder).mkdir()
        profile = {"driver": "GTiff", "width": 4, "height": 1, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
        where = rasterio.transform.from_origin(left, 0, 10, 10)
        with rasterio.open(tmp_path / folder / "a.tif", "w", transform=where, **profile) as file:
            file.write(np.array([[[0, 1, 1, 0]]], np.uint8))
    found = open_mask_folders(tmp_path / "pred", tmp_path / "truth")
    assert any("elsewhere than their truth: 1" in note and "20 map units (2 pixels)" in note for note in found.notes)
    assert not any("elsewhere" in note for note in open_mask_folders(tmp_path / "truth", tmp_path / "truth").notes)
