"""LabelMe files: every version and shape type, what is skipped, what is refused, and back again."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import assert_same, bare, images, names, sets, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations import AnnotatedImage, AnnotationSet, Shape, instance_map, open_annotations, rasterize
from intarsia.annotations.formats.labelme import DRAWING, read, sniff, write
from intarsia.annotations.geometry import (
    Bezier,
    Circle,
    Cuboid,
    Ellipse,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import read_mask

SPACE = LabelSpace(("background", "car", "person"))
OWN = (Polygon, Rectangle, Circle, Polyline, Points, Mask)
FOREIGN = (Ellipse, Bezier, Cuboid, Skeleton, Tag)


def save(folder: Path, shapes: object, name: str = "a", **extra: object) -> Path:
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(folder / f"{name}.png")
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"shapes": shapes, "imagePath": f"{name}.png", **extra}))
    return path


def shape(label: str, kind: str | None, *points: tuple[float, float]) -> dict:
    return {"label": label, "points": [list(point) for point in points]} | ({"shape_type": kind} if kind else {})


def one(path: Path) -> AnnotatedImage:
    documents = list(read(path))
    assert len(documents) == 1 and isinstance(documents[0], AnnotatedImage)
    return documents[0]


def drawn(path: Path) -> np.ndarray:
    return rasterize(one(path), (10, 20), SPACE, DRAWING)


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
    document = one(path)
    assert document.image == tmp_path / "a.png"
    assert document.labels() == {"car", "person", "__ignore__"}
    expected = np.zeros((10, 20), np.uint8)
    expected[:, :10] = 1
    expected[4:, 5:13] = 2
    expected[:2, :2] = 255
    assert np.array_equal(drawn(path), expected)


def test_a_circle_is_centre_and_rim(tmp_path: Path) -> None:
    path = save(tmp_path, [shape("car", "circle", (10, 5), (13, 9))])
    assert one(path).shapes[0].geometry == Circle(10, 5, 5)
    rows, columns = np.mgrid[:10, :20]
    distance = np.hypot(rows - 5, columns - 10)
    assert (drawn(path)[distance <= 4.5] == 1).all()
    assert (drawn(path)[distance > 5.8] == 0).all()


def test_every_other_shape_type(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.fromarray(np.array([[255, 0, 255]], np.uint8)).save(picture, "PNG")
    png = base64.b64encode(picture.getvalue()).decode()
    path = save(
        tmp_path,
        [
            shape("a", "line", (0, 0), (1, 1)),
            shape("b", "linestrip", (0, 0), (1, 1), (2, 0)),
            shape("c", "point", (3, 4)),
            shape("d", "points", (3, 4), (5, 6)),
            shape("e", "mask", (2.4, 3.4), (4.4, 3.4)) | {"mask": png},
            shape("f", "oriented_rectangle", (10, 0), (14, 4), (12, 6), (8, 2)),
            shape("g", "oriented_rectangle", (10, 0), (14, 4), (12, 6), (8, 3)),
        ],
    )
    found = [shape.geometry for shape in one(path).shapes]
    assert found[:4] == [
        Polyline(((0, 0), (1, 1))),
        Polyline(((0, 0), (1, 1), (2, 0))),
        Points(((3, 4),)),
        Points(((3, 4), (5, 6))),
    ]
    assert found[4] == Mask(np.array([[True, False, True]]), 2, 3)
    assert_same(found[5], Rectangle(11 - 8**0.5, 3 - 2**0.5, 11 + 8**0.5, 3 + 2**0.5, 45.0))
    assert isinstance(found[6], Polygon)  # its corners make no rectangle


def test_groups_flags_descriptions_and_unknown_entries_are_kept(tmp_path: Path) -> None:
    entry = shape("car", "rectangle", (0, 0), (4, 4)) | {"group_id": 3, "flags": {"wet": True}, "description": "old"}
    document = one(save(tmp_path, [entry | {"other": [1]}], flags={"night": False}, lineColor=[0, 255, 0, 128]))
    assert document.shapes[0].instance == 3
    assert document.shapes[0].attributes == {"wet": True, "description": "old"}
    assert document.shapes[0].extra == {"other": [1]}
    assert document.attributes == {"night": False}
    assert document.extra == {"lineColor": [0, 255, 0, 128]}
    assert not write([document], tmp_path / "out")
    again = json.loads((tmp_path / "out/a.json").read_text())
    assert again["lineColor"] == [0, 255, 0, 128] and again["shapes"][0]["other"] == [1]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (shape("x", "starfish", (0, 0)), "unknown shape type 'starfish'"),
        (shape("x", "polygon", (0, 0), (1, 1)), "a polygon has fewer than 3 points"),
        (shape("x", "rectangle", (0, 0)), "a rectangle has fewer than 2 points"),
        (shape("x", "circle", (0, 0), (1, 1), (2, 2)), "a circle with more than 2 points"),
        (shape("x", "oriented_rectangle", (0, 0), (1, 1), (2, 2)), "without 4 points"),
        (shape("x", "mask", (0, 0), (1, 1)), "mask whose PNG is missing"),
        (shape("x", "mask", (0, 0), (1, 1)) | {"mask": "AAAA"}, "mask whose PNG is missing or damaged"),
        ({"points": []}, "a shape without a label"),
        ("x", "a shape without a label"),
        ({"label": "x", "points": [1, 2]}, "not a list of .x, y. pairs"),
        ({"label": "x", "points": None}, "not a list of .x, y. pairs"),
        (shape("x", "rectangle", (0, 0), (float("nan"), 1)), "not finite"),
        (shape("x", "rectangle", (0, 0), (1e30, 1)), "far outside every image"),
        (shape("x", ["list"], (0, 0)), "unknown shape type"),  # type: ignore[arg-type]
    ],
)
def test_bad_shapes_are_skipped_and_counted(tmp_path: Path, entry: object, reason: str) -> None:
    export = read(save(tmp_path, [shape("ok", "rectangle", (0, 0), (1, 1)), entry]))
    (document,) = export
    assert document.labels() == {"ok"}
    assert len(export.lost.entries) == 1
    line = export.lost.lines()[0]
    assert line.startswith("dropped 1: ") and line.endswith("(a.json: shape 2)")
    assert re.search(reason, line)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken JSON at line 1.*damaged or cut off"),
        (b'{"shapes": [\n{"label"', "broken JSON at line 2"),
        (b"\xff\xfe\x00", "broken JSON"),
        (b"[1, 2]", "no list of shapes"),
        (b'{"shapes": {}}', "no list of shapes"),
        (b"[" * 100_000, "broken JSON"),
        (b"\x89PNG", "broken JSON"),
        (b'{"shapes": [], "imageWidth": "wide"}', "imageWidth is 'wide', not a number"),
        (b'{"shapes": [], "imageHeight": 1' + b"0" * 400 + b"}", "imageHeight is 10*, not a number"),
    ],
)
def test_files_that_are_not_labelme(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read(path))


def test_one_broken_file_of_many_is_counted(tmp_path: Path) -> None:
    save(tmp_path, [shape("car", "rectangle", (0, 0), (1, 1))], "a")
    save(tmp_path, [], "b").write_text("{")
    export = read(tmp_path)
    assert [document.name for document in export] == ["a.png"]
    assert "dropped 1: a file that cannot be used" in str(export.lost)
    assert "b.json: broken JSON" in str(export.lost)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: no such file or folder"):
        open_annotations(tmp_path / "a.json")
    with pytest.raises(DataError, match="no LabelMe files"):
        read(tmp_path)


def test_the_image_is_found_beside_the_json(tmp_path: Path) -> None:
    assert one(save(tmp_path, [], imagePath="old name.jpg")).image == tmp_path / "a.png"


def test_an_embedded_image_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), 7, np.uint8)).save(picture, "PNG")
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"shapes": [], "imageData": base64.b64encode(picture.getvalue()).decode()}))
    document = one(path)
    assert document.image is None and document.embedded == picture.getvalue()
    path.write_text(json.dumps({"shapes": [], "imageData": "no base64!"}))
    export = read(path)
    assert next(iter(export)).embedded is None  # type: ignore[union-attr]
    assert export.lost.count("dropped", "embedded image") == 1


def test_windows_paths_inside_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "images" / "x.png")
    path = tmp_path / "drawn" / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": "..\\images\\x.png"}))
    (document,) = read(tmp_path)
    assert document.image == tmp_path / "images" / "x.png"
    assert document.name == "images/x.png"
    assert one(path).image is None  # opened alone, its folder is as far as it may look
    path.write_text(json.dumps({"shapes": [], "imagePath": "C:\\Users\\me\\images\\x.png"}))
    assert next(iter(read(tmp_path))).image == tmp_path / "images" / "x.png"


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    named=st.one_of(
        st.none(),
        st.integers(),
        st.text(),
        st.sampled_from(["../secret.png", "/etc/hostname", "C:\\x.png", "images/../../secret.png", "..\\secret.png"]),
        st.lists(st.sampled_from(["..", "/", "\\", "a", ".", "b.png", "secret.png"])).map("".join),
    )
)
def test_no_path_leaves_the_folder(tmp_path: Path, named: object) -> None:
    folder = tmp_path / "set" / "inner"
    folder.mkdir(parents=True, exist_ok=True)
    for place in (tmp_path, tmp_path / "set", folder):
        (place / "b.png").touch()
    (tmp_path / "secret.png").touch()
    path = folder / "a.json"
    path.write_text(json.dumps({"shapes": [], "imagePath": named}))
    document = one(path)
    assert document.image in (None, folder / "b.png")
    assert not Path(document.name).is_absolute() and ".." not in Path(document.name).parts


def scrambled() -> st.SearchStrategy[object]:
    value = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
        max_leaves=6,
    )
    kinds = st.sampled_from(["polygon", "rectangle", "circle", "mask", "point", "line", "oriented_rectangle", "x"])
    pairs = st.lists(st.lists(st.one_of(st.floats(), st.integers(), value), min_size=1, max_size=3), max_size=5)
    entry = st.fixed_dictionaries(
        {},
        optional={
            "label": st.one_of(st.text(max_size=3), value),
            "points": st.one_of(pairs, value),
            "shape_type": st.one_of(kinds, value),
            "group_id": value,
            "flags": value,
            "mask": value,
            "description": value,
        },
    )
    return st.fixed_dictionaries(
        {"shapes": st.one_of(st.lists(st.one_of(entry, value), max_size=4), value)},
        optional={"imagePath": value, "imageData": value, "imageWidth": value, "flags": value, "x": value},
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scrambled())
def test_every_input_is_read_or_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    sniff(path)
    try:
        document = one(path)
    except DataError as error:
        assert "a.json" in str(error)
        return
    write([document], tmp_path / "out")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    sniff(path)
    with pytest.raises(DataError, match=r"a\.json"):
        list(read(path))


FLAGS = st.dictionaries(names.filter(lambda name: name != "description"), st.booleans(), max_size=2)
NOTES = texts.filter(bool).map(lambda text: {"description": text})
FIELDS = {"instance": st.none() | st.integers(0, 5)}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sets(images(OWN, attributes=st.builds(lambda a, b: a | b, FLAGS, NOTES), shape_fields=FIELDS)))
def test_documents_come_back(tmp_path: Path, documents: list[AnnotatedImage]) -> None:
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    lost = write(documents, tmp_path / "out")
    found = sorted(read(tmp_path / "out"), key=lambda one: one.name)
    assert not lost
    assert_same([bare(document) for document in found], sorted(documents, key=lambda one: one.name))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(images(FOREIGN, shape_fields={"z": st.integers(0, 3), "occluded": st.booleans()}))
def test_what_labelme_lacks_is_counted(tmp_path: Path, document: AnnotatedImage) -> None:
    lost = write([document], tmp_path / "out")
    kinds = [type(shape.geometry) for shape in document.shapes]
    assert lost.count("changed", "became a polygon") == sum(kind in (Ellipse, Bezier) for kind in kinds)
    assert lost.count("dropped", "has no counterpart") == sum(kind in (Cuboid, Skeleton, Tag) for kind in kinds)
    assert lost.count("dropped", "the z of a shape") == sum(shape.z != 0 for shape in document.shapes)
    assert lost.count("dropped", "the occluded of a shape") == sum(shape.occluded for shape in document.shapes)
    again = one(tmp_path / "out" / Path(document.name).with_suffix(".json"))
    assert len(again.shapes) == sum(kind in (Ellipse, Bezier) for kind in kinds)


def test_several_parts_become_one_group_and_holes_a_mask(tmp_path: Path) -> None:
    square, hole, other = (
        tuple((x + d, y + d) for x, y in ((0, 0), (s, 0), (s, s), (0, s)))
        for d, s in ((0.0, 9.0), (3.0, 3.0), (12.0, 4.0))
    )
    parts = Shape("car", Polygon(((square,), (other,))))
    holed = Shape("person", Polygon(((square, hole),)))
    document = AnnotatedImage("a.png", width=20, height=20, shapes=(Shape("x", Polygon.of(square), 4), parts, holed))
    lost = write([document], tmp_path)
    assert lost.count("changed", "several parts") == 1 and lost.count("changed", "became a mask") == 1
    found = one(tmp_path / "a.json")
    assert [shape.instance for shape in found.shapes] == [4, 5, 5, None]
    space = LabelSpace(("background", "x", "car", "person"))
    assert np.array_equal(rasterize(found, (20, 20), space, DRAWING), rasterize(document, (20, 20), space, DRAWING))


def test_labels_txt_is_read_as_any_list_of_classes(tmp_path: Path) -> None:
    save(tmp_path, [])
    for text in ("__ignore__\n_background_\nCafé\n", "0: _background_\n1: Café\n", "id,name\n1,Café\n0,_background_\n"):
        (tmp_path / "labels.txt").write_bytes(text.encode("utf-16"))
        assert [category.name for category in open_annotations(tmp_path).categories] == ["_background_", "Café"]
    (tmp_path / "labels.txt").write_text("")
    assert open_annotations(tmp_path).categories == ()
    (tmp_path / "labels.txt").write_text("car\ncar\n")
    with pytest.raises(DataError, match=r"labels\.txt.*repeated: car"):
        open_annotations(tmp_path)


def test_classes_are_written_as_labels_txt(tmp_path: Path) -> None:
    write([AnnotatedImage("a.png", shapes=(Shape("tree", Points(((1, 1),))), Shape("void", Tag())))], tmp_path)
    assert (tmp_path / "labels.txt").read_text().splitlines() == ["__ignore__", "_background_", "tree"]
    assert [category.name for category in read(tmp_path).categories] == ["_background_", "tree"]


def test_two_images_of_one_stem(tmp_path: Path) -> None:
    lost = write([AnnotatedImage("a.png"), AnnotatedImage("a.jpg"), AnnotatedImage("../../b.jpg")], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["a.jpg.json", "a.json", "b.json"]
    assert lost.count("changed", "share one JSON") == 1
    with pytest.raises(DataError, match="no annotations to write"):
        write([], tmp_path / "none")


def test_real_files_of_every_age(real_data: Path) -> None:
    export = open_annotations(real_data / "annotations/labelme/old_versions")
    found = {document.source.stem: document for document in export}
    assert isinstance(export, AnnotationSet) and export.tool == "labelme" and not export.lost
    counts = {name: len(document.shapes) for name, document in found.items()}  # type: ignore[union-attr]
    assert counts == {"v1_2017_apc2016_obj3": 3, "v2018_2011_000003": 5, "v4.0.0_apc2016_obj3_with_colors": 4}
    for document in found.values():
        assert isinstance(document, AnnotatedImage)
        assert (document.embedded is None) == (document.source.stem == "v2018_2011_000003")
        assert all(isinstance(shape.geometry, Polygon) for shape in document.shapes)


def test_real_shapes_of_every_type(real_data: Path) -> None:
    document = one(real_data / "annotations/labelme/primitives/primitives.json")
    kinds = [type(shape.geometry).__name__ for shape in document.shapes]
    assert sorted(kinds) == ["Circle", "Mask", "Points", "Polygon", "Polyline", "Polyline", "Rectangle", "Rectangle"]
    mask = next(shape.geometry for shape in document.shapes if isinstance(shape.geometry, Mask))
    assert mask.bitmap.shape == (100, 100) and (mask.left, mask.top) == (417, 305)
    assert 0 < mask.bitmap.sum() < 10_000


@pytest.mark.parametrize(
    ("name", "masks"),
    [
        ("semantic_segmentation", "SegmentationClass"),
        ("instance_segmentation", "SegmentationClass"),
        ("video_annotation", "SegmentationClassPNG"),
    ],
)
def test_examples_equal_the_masks_that_labelme_made_of_them(real_data: Path, name: str, masks: str) -> None:
    folder = real_data / "annotations/labelme" / name
    labels = (folder / "labels.txt").read_text().split("\n")
    space = LabelSpace(tuple(label.strip() for label in labels[1:] if label.strip()))
    documents = list(read(folder / "data_annotated"))
    assert len(documents) >= 3
    for document in documents:
        assert isinstance(document, AnnotatedImage)
        truth = read_mask(folder / "data_dataset_voc" / masks / f"{Path(document.name).stem}.png")
        assert (rasterize(document, truth.shape, space, DRAWING) != truth).sum() <= 1  # type: ignore[arg-type]


def test_example_instances_equal_labelmes(real_data: Path) -> None:
    folder = real_data / "annotations/labelme/instance_segmentation"
    for document in read(folder / "data_annotated"):
        assert isinstance(document, AnnotatedImage)
        stem = Path(document.name).stem
        classes, truth = (
            read_mask(folder / "data_dataset_voc" / place / f"{stem}.png")
            for place in ("SegmentationClass", "SegmentationObject")
        )
        ours = instance_map(document, truth.shape, DRAWING).ids  # type: ignore[arg-type]
        clear = classes != 255
        pairs = np.unique(np.stack([ours[clear], truth[clear]]), axis=1, return_counts=True)
        big = pairs[0][:, pairs[1] > 1]
        # The same things, whatever their numbers.
        assert len(np.unique(big[0])) == len(np.unique(big[1])) == big.shape[1]
