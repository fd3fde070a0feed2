"""The registry of tools, lost, packing and checking."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import images
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations import (
    AnnotatedImage,
    AnnotatedVideo,
    DrawingRules,
    Keyframe,
    Lost,
    Shape,
    Track,
    open_annotations,
    rasterize,
    write_annotations,
)
from intarsia.annotations.checking import check
from intarsia.annotations.geometry import Bezier, Circle, Ellipse, Mask, Points, Polygon, Polyline, Rectangle, Tag
from intarsia.annotations.outlines import crosses_itself
from intarsia.annotations.packing import pack, unpack
from intarsia.annotations.tools import recognise, tools
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace

DRAWN = (Polygon, Rectangle, Circle, Ellipse, Bezier, Mask, Polyline, Points, Tag)


def test_every_tool_is_described() -> None:
    found = tools()
    assert {"labelme", "coco", "coco-panoptic", "masks", "geojson"} <= found.keys()
    for tool in found.values():
        assert tool.about and (tool.read or tool.write)
        assert tool.suffix == "" or tool.suffix.startswith(".")


def test_unknown_tools_options_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"x": 1}')
    with pytest.raises(DataError, match="not an annotation file of any known tool"):
        open_annotations(path)
    assert recognise(path) is None
    with pytest.raises(UsageError, match=r"named 'labelm'. Did you mean 'labelme'"):
        open_annotations(path, tool="labelm")
    with pytest.raises(UsageError, match=r"have no option 'image'. Did you mean 'images'"):
        open_annotations(path, tool="labelme", image=tmp_path)
    with pytest.raises(DataError, match=r"no such file or folder. Did you mean 'a.json'"):
        open_annotations(tmp_path / "a.jso")
    with pytest.raises(UsageError, match="no annotation tool is named 'x'"):
        write_annotations([], tmp_path / "b", tool="x")


def test_a_zip_archive_is_opened(tmp_path: Path) -> None:
    write_annotations(
        [AnnotatedImage("a.png", shapes=(Shape("x", Rectangle(0, 0, 2, 2)),))], tmp_path / "c", tool="labelme"
    )
    Image.new("RGB", (4, 4)).save(tmp_path / "c" / "a.png")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        for path in (tmp_path / "c").iterdir():
            file.write(path, f"inner/{path.name}")
    export = open_annotations(tmp_path / "c.zip")
    (document,) = export.images()
    assert export.tool == "labelme" and document.image is not None and document.image.name == "a.png"
    photo = document.image
    del export
    assert photo.is_file()  # a document alone keeps the folder
    del document
    assert not photo.exists()


def test_what_the_reader_lost_is_part_of_a_conversion(tmp_path: Path) -> None:
    shapes = [
        {"label": "x", "points": [[0, 0]], "shape_type": "blob"},
        {"label": "x", "points": [[0, 0], [1, 0], [1, 1]]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.jpg", "odd": 1}))
    lost = write_annotations(open_annotations(tmp_path), tmp_path / "x.json", tool="coco")
    assert lost.lines() == [
        "dropped 1: entries of images that only labelme knows (a.jpg)",
        "dropped 1: unknown shape type 'blob' (a.json: shape 1)",
    ]
    assert lost.to_json()[1]["examples"] == ["a.json: shape 1"]


def test_what_is_lost_adds_up() -> None:
    first, second = Lost(), Lost()
    assert not first and str(first) == ""
    for number in range(7):
        first.dropped("a cuboid", f"{number}.jpg")
    first.dropped("nothing", count=0)
    second.changed("a circle")
    second.merge(first)
    assert second.lines() == ["dropped 7: a cuboid (0.jpg, 1.jpg, 2.jpg, ...)", "changed 1: a circle"]
    assert (second.count(), second.count("dropped"), second.count(containing="circle")) == (8, 7, 1)


FIELDS = {"z": st.integers(0, 3), "instance": st.none() | st.integers(0, 3), "crowd": st.booleans()}


@settings(max_examples=60, deadline=None)
@given(images(DRAWN, shape_fields=FIELDS))
def test_packed_documents_draw_the_same(document: AnnotatedImage) -> None:
    again = unpack(pack(document))
    space = LabelSpace(("background", *sorted(document.labels())))
    size = (document.height or 0, document.width or 0)
    for drawing in (DrawingRules("coco", "z", 2, 1), DrawingRules("inclusive", "area")):
        assert np.array_equal(rasterize(again, size, space, drawing), rasterize(document, size, space, drawing))
    kept = [shape for shape in document.shapes if not isinstance(shape.geometry, Tag)]
    assert [(s.label, s.z, s.instance, s.crowd) for s in again.shapes] == [
        (s.label, s.z, s.instance, s.crowd) for s in kept
    ]


def test_problems_are_named(tmp_path: Path) -> None:
    for name in ("a.png", "turned.png", "other.png"):
        Image.new("RGB", (20, 10)).save(tmp_path / name)
    bow = Polygon.of([(0, 0), (8, 8), (8, 0), (0, 8)])
    shapes = (
        Shape("car", Rectangle(0, 0, 5, 5)),
        Shape("car", Rectangle(0, 0, 5, 5)),
        Shape("Car", bow),
        Shape("car", Rectangle(30, 30, 40, 40)),
        Shape("car", Rectangle(5, 5, 40, 8)),
        Shape("car", Polygon.of([(0, 0), (5, 5), (9, 9)])),
        Shape("persn", Tag()),
    )
    documents = [
        AnnotatedImage("a.png", image=tmp_path / "a.png", width=20, height=10, shapes=shapes),
        AnnotatedImage("a.png", image=tmp_path / "a.png"),
        AnnotatedImage("turned.png", image=tmp_path / "turned.png", width=10, height=20),
        AnnotatedImage("other.png", image=tmp_path / "other.png", width=40, height=20),
        AnnotatedImage("gone.png"),
        AnnotatedVideo("v.mp4", (Track("car", ()), Track("car", (Keyframe(9, Tag()),))), 0, 5),
    ]
    found = [f"{name}: {problem}" for name, problem in check(documents, ("car", "person"))]
    expected = [
        "a.png: unknown class 'Car'. Did you mean 'car'?",
        "a.png: unknown class 'persn'. Did you mean 'person'?",
        "a.png: the class 'car' is also spelt 'Car'",
        "a.png: shape 1 (car, rectangle) is there more than once",
        "a.png: shape 3 (Car, polygon) crosses itself",
        "a.png: shape 4 (car, rectangle) lies outside the image of 20x10",
        "a.png: shape 5 (car, rectangle) reaches beyond the image of 20x10",
        "a.png: shape 6 (car, polygon) has no area",
        "a.png: it is annotated more than once",
        "turned.png: it was drawn on an image of 10x20 pixels, but turned.png has 20x10, the same on its side",
        "other.png: it was drawn on an image of 40x20 pixels, but other.png has 20x10; restore",
        "gone.png: the image is missing",
        "v.mp4: track 1 (car) has no keyframe",
        "v.mp4: track 2 (car) has keyframes outside the video (0 to 5)",
    ]
    assert len(found) >= len(expected)
    for line in expected:
        assert any(line in problem for problem in found), (line, found)


def test_crossing_rings() -> None:
    assert crosses_itself(np.array([(0, 0), (8, 8), (8, 0), (0, 8)], float))
    assert not crosses_itself(np.array([(0, 0), (8, 0), (8, 8), (4, 2), (0, 8)], float))
    assert not crosses_itself(np.array([(0, 0), (8, 0), (8, 8)], float))
    angles = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    assert not crosses_itself(np.stack((np.cos(angles), np.sin(angles)), axis=1))
    assert crosses_itself(np.stack((np.cos(angles), np.sin(2 * angles + 0.1)), axis=1))
