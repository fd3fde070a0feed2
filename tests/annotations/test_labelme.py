"""LabelMe files: reading, drawing, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations import rasterise
from intarsia.annotations.document import class_names
from intarsia.annotations.labelme import read
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("background", "car", "person"))


def save(folder: Path, shapes: object, name: str = "a", **extra: object) -> Path:
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(folder / f"{name}.png")
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"shapes": shapes, "imagePath": f"{name}.png", **extra}))
    return path


def shape(label: str, kind: str | None, *points: tuple[float, float]) -> dict:
    return {"label": label, "points": [list(point) for point in points]} | ({"shape_type": kind} if kind else {})


def test_shapes_are_drawn_in_list_order(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        [
            shape("car", "polygon", (0, 0), (9, 0), (9, 9), (0, 9)),
            shape("person", "rectangle", (12, 9), (5, 4)),
            shape("__ignore__", None, (0, 0), (1, 0), (1, 1), (0, 1)),
        ],
        imageWidth=20,
        imageHeight=10,
    )
    document = read(path)
    assert document.image == tmp_path / "a.png"
    assert document.labels() == {"car", "person", "__ignore__"}
    labels = rasterise(document, (10, 20), SPACE)
    expected = np.zeros((10, 20), np.uint8)
    expected[:, :10] = 1
    expected[4:, 5:13] = 2
    expected[:2, :2] = 255
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, expected)


def test_a_circle_is_centre_and_rim(tmp_path: Path) -> None:
    labels = rasterise(read(save(tmp_path, [shape("car", "circle", (10, 5), (13, 9))])), (10, 20), SPACE)
    rows, columns = np.mgrid[:10, :20]
    distance = np.hypot(rows - 5, columns - 10)
    assert (labels[distance <= 4.5] == 1).all()
    assert (labels[distance > 5.8] == 0).all()


def test_without_a_background_class_the_rest_is_ignored(tmp_path: Path) -> None:
    path = save(tmp_path, [shape("car", "rectangle", (0, 0), (9, 9))])
    labels = rasterise(read(path), (10, 20), LabelSpace(("car",)))
    assert labels[0].tolist() == [0] * 10 + [255] * 10


def test_shapes_beyond_the_border_are_cut(tmp_path: Path) -> None:
    path = save(tmp_path, [shape("car", "polygon", (-500, -500), (900, -500), (900, 4), (-500, 4))])
    labels = rasterise(read(path), (10, 20), SPACE)
    assert labels[:, 0].tolist() == [1] * 5 + [0] * 5


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([shape("x", "line", (0, 0), (1, 1))], r"shape 1 \(x\) is a 'line'.*no area"),
        ([shape("x", "point", (0, 0))], "'point'.*no area"),
        ([shape("x", "mask", (0, 0), (1, 1))], "'mask'.*draw it as a polygon"),
        ([shape("x", "rotated", (0, 0))], "'rotated'; only polygon, rectangle and circle"),
        ([shape("x", "polygon", (0, 0), (1, 1))], "a polygon has 3 or more points, this one 2"),
        ([shape("x", "rectangle", (0, 0))], "a rectangle has 2 points, this one 1"),
        ([shape("x", "circle", (0, 0), (1, 1), (2, 2))], "a circle has 2 points, this one 3"),
        ([{"points": []}], "shape 1 has no label"),
        (["x"], "shape 1 has no label"),
        ([shape("ok", "rectangle", (0, 0), (1, 1)), {"label": "x", "points": [1, 2]}], r"shape 2 \(x\).*pairs"),
        ([{"label": "x", "points": None}], "not a list"),
        ([shape("x", "rectangle", (0, 0), (float("nan"), 1))], "far outside every image"),
        ([shape("x", "rectangle", (0, 0), (1e30, 1))], "far outside every image"),
        ({}, "no list of shapes"),
        (None, "no list of shapes"),
    ],
)
def test_what_is_not_read(tmp_path: Path, shapes: object, message: str) -> None:
    path = save(tmp_path, shapes)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken JSON at line 1.*damaged or cut off"),
        (b'{"shapes": [\n{"label"', "broken JSON at line 2"),
        (b"\xff\xfe\x00", "broken JSON"),
        (b"[1, 2]", "holds a list, not an object"),
        (b"[" * 100_000, "broken JSON"),
        (b"\x89PNG", "broken JSON"),
    ],
)
def test_files_that_are_not_labelme(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: cannot be read: No such file"):
        read(tmp_path / "a.json")


def test_the_image_is_found_beside_the_json(tmp_path: Path) -> None:
    path = save(tmp_path, [], imagePath="old name.jpg", imageData="AAAA")
    assert read(path).image == tmp_path / "a.png"


def test_windows_paths_inside_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "images" / "a.png")
    path = tmp_path / "json" / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": "..\\images\\a.png"}))
    assert read(path, within=tmp_path).image == tmp_path / "images" / "a.png"
    with pytest.raises(DataError, match="outside the data set's folder"):
        read(path)


@pytest.mark.parametrize(
    "named", ["../secret.png", "/etc/hostname", "C:\\x.png", "images/../../secret.png", "..\\secret.png"]
)
def test_no_path_leaves_the_folder(tmp_path: Path, named: str) -> None:
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "secret.png")
    folder = tmp_path / "set"
    folder.mkdir()
    path = folder / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": named}))
    with pytest.raises(DataError, match="outside the data set's folder"):
        read(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    named=st.one_of(
        st.none(),
        st.integers(),
        st.text(),
        st.lists(st.sampled_from(["..", "/", "\\", "a", ".", "b.png"])).map("".join),
    )
)
def test_any_path_is_inside_or_an_error(tmp_path: Path, named: object) -> None:
    folder = tmp_path / "set" / "inner"
    folder.mkdir(parents=True, exist_ok=True)
    for place in (tmp_path, tmp_path / "set", folder):
        (place / "b.png").touch()
    path = folder / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": named}))
    try:
        found = read(path).image
    except DataError:
        return
    assert found == folder / "b.png"


def test_a_missing_image(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": "gone.jpg"}))
    with pytest.raises(DataError, match=r"image 'gone\.jpg' is missing; put it beside the JSON as a\.jpg"):
        read(path)


def test_another_image_size(tmp_path: Path) -> None:
    document = read(save(tmp_path, [], imageWidth=40, imageHeight=20))
    with pytest.raises(DataError, match=r"drawn on an image of 40x20 pixels, but a\.png has 20x10"):
        rasterise(document, (10, 20), SPACE)
    with pytest.raises(DataError, match="imageWidth is 'wide', not a number"):
        read(save(tmp_path, [], imageWidth="wide"))


def test_an_unknown_class_is_suggested(tmp_path: Path) -> None:
    document = read(save(tmp_path, [shape("persn", "rectangle", (0, 0), (1, 1))]))
    with pytest.raises(DataError, match=r"named 'persn'. Did you mean 'person'"):
        rasterise(document, (10, 20), SPACE)


def test_class_names_of_a_folder() -> None:
    assert class_names(["tree", "_background_", "__ignore__", "car", "Void"]) == ("background", "car", "tree")


def test_real_files_of_every_age(real_data: Path) -> None:
    for name in ("v1_2017_apc2016_obj3", "v4.0.0_apc2016_obj3_with_colors", "v2018_2011_000003"):
        with pytest.raises(DataError, match="is missing; put it beside"):
            read(real_data / "annotations/labelme/old_versions" / f"{name}.json")
    with pytest.raises(DataError, match=r"shape 5 \(line\) is a 'line'"):
        read(real_data / "annotations/labelme/primitives/primitives.json")
