"""Ultralytics' YOLO labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotations.documents import geometries
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations import AnnotatedImage, Category, Shape, open_annotations, write_annotations
from intarsia.annotations.formats.yolo import describe
from intarsia.annotations.geometry import Polygon, Rectangle, Skeleton
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError, UsageError

OUTLINE = "0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5"


def image(path: Path, size: tuple[int, int] = (60, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return path


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("count", [2, 4])
def test_a_number_of_classes_that_is_not_that_of_the_names_is_refused(tmp_path: Path, count: int) -> None:
    image(tmp_path / "images" / "a.png")
    text(tmp_path / "labels" / "a.txt", f"1 {OUTLINE}")
    described = text(tmp_path / "data.yaml", "train: images", f"nc: {count}", "names: [cat, dog, bird]")
    with pytest.raises(DataError, match=rf"nc is {count}, and 3 classes are named \(cat, dog, bird\); correct"):
        open_dataset(tmp_path)
    text(described, "train: images", "nc: 4", "names: {0: cat, 3: dog}")  # numbers may have gaps
    assert describe(tmp_path).names == {0: "cat", 3: "dog"}


@pytest.mark.parametrize("order", ["{kind}/{split}", "{split}/{kind}"])
def test_outlines_splits_and_names(tmp_path: Path, order: str) -> None:
    for split, name in (("train", "a"), ("train", "empty"), ("valid", "b")):
        image(tmp_path / order.format(kind="images", split=split) / f"{name}.png")
        if name != "empty":
            text(tmp_path / order.format(kind="labels", split=split) / f"{name}.txt", f"1 {OUTLINE}")
    places = [order.format(kind="images", split=split) for split in ("train", "valid")]
    text(tmp_path / "data.yaml", f"train: ../{places[0]}", f"val: ../{places[1]}", "names: [cat, dog, bird]")
    data = open_dataset(tmp_path)
    assert len(open_dataset(tmp_path / "data.yaml")) == len(data)
    assert (data.layout, data.space.names) == ("annotations", ("background", "dog"))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 2, "val": 1}
    target = data.splits["val"].read(0)[1]
    assert target[4:21, 6:31].all() and target.sum() == 17 * 25  # every pixel that the outline touches
    assert any("a photo without labels shows background alone" in note for note in data.notes)
    assert len(open_dataset(tmp_path, ReadOptions(reader={"without_labels": "skip"})).splits["train"]) == 1


@pytest.mark.parametrize(
    ("line", "geometry"),
    [
        (f"0 {OUTLINE}", Polygon.of([(6.0, 4.0), (30.0, 4.0), (30.0, 20.0), (6.0, 20.0)])),
        (f"0 {OUTLINE} 0.9", Polygon.of([(6.0, 4.0), (30.0, 4.0), (30.0, 20.0), (6.0, 20.0)])),
        ("0 0.5 0.5 0.2 0.5", Rectangle(24.0, 10.0, 36.0, 30.0)),
        ("0 0.333333 0.333333 0.6 0.1 0.9 0.9", Polygon.of([(20.0, 13.33), (36.0, 4.0), (54.0, 36.0)])),
    ],
)
def test_lines(tmp_path: Path, line: str, geometry: object) -> None:
    image(tmp_path / "a.png")
    text(tmp_path / "a.txt", line)
    (document,) = open_annotations(tmp_path).images()
    (shape,) = document.shapes
    assert (shape.label, shape.geometry) == ("class_0", geometry)
    assert shape.score == (0.9 if line.endswith("0.9") and len(line.split()) == 10 else None)


def test_keypoints_are_no_outline(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    text(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2 0.4 0.4 2 0.6 0.6 2")
    text(tmp_path / "data.yaml", "kpt_shape: [2, 3]", "names: {0: person}")
    (document,) = open_annotations(tmp_path, tool="yolo").images()
    assert isinstance(document.shapes[0].geometry, Skeleton)
    assert describe(tmp_path).keypoints == (2, 3)


def test_bad_lines_are_counted(tmp_path: Path) -> None:
    image(tmp_path / "images/a.png")
    text(tmp_path / "labels/a.txt", f"0 {OUTLINE}", "0 x 2 3 4", f"7 {OUTLINE}", "0 0.1 0.2")
    text(tmp_path / "labels/gone.txt", f"0 {OUTLINE}")
    text(tmp_path / "data.yaml", "names: [cat]")
    export = open_annotations(tmp_path)
    assert [len(document.shapes) for document in export.images()] == [1]
    assert export.lost.count("dropped") == 4 and export.lost.count("dropped", "that data.yaml does not name") == 1
    with pytest.raises(UsageError, match=r"without_labels is 'skp'.*Did you mean 'skip'"):
        open_annotations(tmp_path, without_labels="skp")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 20 20 10 10", "coordinates that are no shares of the image (0 to 1)"),
        ("0 0,5 0,5 0,2 0,2", "a coordinate is not a number"),
        ("cat 0.5 0.5 0.2 0.2", "a line that does not begin with a class number"),
        ("0 0.5 0.5 0.2", "a line that is neither a box nor an outline"),
        ("0.0 0.5 0.5 0.2 0.2", ""),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_labels_of_another_kind_are_told_and_not_passed_over(
    tmp_path: Path, line: str, reason: str, apart: bool
) -> None:
    image(tmp_path / ("images/a.png" if apart else "a.png"))
    text(tmp_path / ("labels/a.txt" if apart else "a.txt"), line)
    text(tmp_path / "data.yaml", "names: [cat]")
    export = open_annotations(tmp_path)
    (document,) = export.images()
    assert export.tool == "yolo" and len(document.shapes) == (not reason)
    assert [why for _, why in export.lost.entries] == ([reason] if reason else [])


@settings(max_examples=20, deadline=None)
@given(st.lists(geometries([Polygon], 61, 37), max_size=3))
def test_written_and_read_again(tmp_path_factory: pytest.TempPathFactory, drawn: list[Polygon]) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    photo = image(folder / "images/train/a.png", (61, 37))
    shapes = tuple(Shape("dog", geometry) for geometry in drawn)
    document = AnnotatedImage("train/a.png", image=photo, width=61, height=37, shapes=shapes)
    lost = write_annotations([document], folder, tool="yolo", categories=[Category("cat"), Category("dog")])
    assert not lost
    (again,) = open_annotations(folder, tool="yolo").images()
    assert again.shapes == shapes and again.name == "train/a.png"
    assert describe(folder).names == {0: "cat", 1: "dog"}


def test_names_of_data_yaml_are_those_of_masks(tmp_path: Path) -> None:
    for number in range(2):
        image(tmp_path / f"images/{number}.png")
        mask = np.array([[0, 2]], np.uint8).repeat(40, 0).repeat(30, 1)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    text(tmp_path / "data.yaml", "train: images", "names: {0: sky, 1: road, 2: car}")
    assert open_dataset(tmp_path).space.names == ("sky", "road", "car")


@pytest.mark.parametrize("place", ["labels", "images"])
def test_pixels_without_names_are_told_and_not_passed_over(tmp_path: Path, place: str) -> None:
    for name in ("a", "b"):
        image(tmp_path / "images" / f"{name}.png")
        text(tmp_path / place / f"{name}.txt", "0 20 20 50 20 50 35 20 35", "1 5 5 15 5 15 30")
    export = open_annotations(tmp_path)
    assert [len(document.shapes) for document in export.images()] == [0, 0]
    assert export.lost.count("dropped", "coordinates that are no shares of the image (0 to 1)") == 4


def test_numbers_without_a_photo_are_no_labels(tmp_path: Path) -> None:
    image(tmp_path / "images" / "a.png")
    text(tmp_path / "labels" / "scan.txt", "1 20 20 50 20", "2 5 5 15 5")
    with pytest.raises(DataError, match="not an annotation"):
        open_annotations(tmp_path)
