"""Label Studio's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotations.documents import geometries
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from intarsia.annotations import AnnotatedImage, Shape, open_annotations, rasterize, write_annotations
from intarsia.annotations.formats.labelstudio import brush
from intarsia.annotations.geometry import Ellipse, Mask, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.outlines import rings
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

SIZE = {"original_width": 60, "original_height": 40, "image_rotation": 0}


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_brushes_come_back(bitmap: np.ndarray) -> None:
    assert np.array_equal(brush.decode(brush.encode(bitmap), bitmap.shape), bitmap)


def test_a_brush_of_literal_values() -> None:
    """2 x 1 pixels, the eight values one by one: 0 0 0 0 and 255 255 255 129."""
    bits = f"{8:032b}" + f"{7:05b}" + f"{2:04b}" * 4 + "000" + f"{7:03b}" + "0" * 32 + "1" * 24 + f"{129:08b}"
    codes = [int(bits[place : place + 8].ljust(8, "0"), 2) for place in range(0, len(bits), 8)]
    assert brush.decode(codes, (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("codes", "message"),
    [([], "cut off"), ([0, 0, 0, 32, 1], "cut off"), ([300], "cut off"), (["a"], "not a list of bytes")],
)
def test_broken_brushes(codes: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        brush.decode(codes, (2, 4))
    with pytest.raises(DataError, match="of 8 pixels for an image of 3x3"):
        brush.decode(brush.encode(np.ones((2, 4), np.bool_)), (3, 3))


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40)).save(path)
    return path


@settings(max_examples=25, deadline=None)
@given(st.lists(geometries([Polygon, Polyline, Rectangle, Ellipse, Mask], 60, 40), max_size=3))
def test_written_and_read_again(tmp_path_factory: pytest.TempPathFactory, drawn: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("studio")
    kept = [geometry for geometry in drawn if not isinstance(geometry, Mask) or geometry.bitmap.any()]
    shapes = tuple(Shape("a b", geometry) for geometry in kept)
    document = AnnotatedImage("a b.png", image=photo(folder / "a b.png"), width=60, height=40, shapes=shapes)
    write_annotations([document], folder / "out.json", tool="labelstudio")
    (again,) = open_annotations(folder / "out.json").images()
    assert again.name == "a b.png" and again.image == document.image and len(again.shapes) == len(shapes)
    for before, after in zip(kept, (shape.geometry for shape in again.shapes), strict=True):
        if isinstance(before, Mask):
            assert isinstance(after, Mask) and after == Mask(before.bitmap, before.left, before.top).cropped()
        elif isinstance(before, Polyline):
            assert after == before
        else:
            assert np.allclose(rings(after)[0][0], rings(before)[0][0], atol=1e-4)


def studio(folder: Path, *tasks: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "export.json"
    path.write_text(json.dumps(list(tasks)))
    return path


def region(**more: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 20, "height": 30, "rotation": 0, "rectanglelabels": ["cat"]}
    return {"id": "r", "type": "rectanglelabels", "from_name": "l", "to_name": "i", "value": value, **SIZE, **more}


@pytest.mark.parametrize(
    "said",
    [
        "/data/upload/3/1a2b3c4d-a.jpg",
        "/data/local-files/?d=photos/a.jpg",
        "https://example.org/x/a.jpg?token=1",
        "s3://bucket/x/a.jpg",
        "a.jpg",
    ],
)
def test_images_are_found_by_what_tasks_call_them(tmp_path: Path, said: str) -> None:
    image = photo(tmp_path / ("photos/a.jpg" if "photos" in said else "a.jpg"))
    path = studio(tmp_path, {"id": 1, "data": {"picture": said}, "annotations": [{"result": [region()]}]})
    (document,) = open_annotations(path).images()
    assert document.image == image and document.name == ("photos/a.jpg" if "photos" in said else "a.jpg")
    assert document.shapes[0].geometry == Rectangle(6, 4, 18, 16)


def test_which_annotation_of_a_task_is_taken(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    other = region(value={"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["dog"]})
    data = {"image": "a.jpg"}
    done = {"id": 1, "data": data, "annotations": [{"was_cancelled": True, "result": []}, {"result": [region()]}]}
    truth = {"id": 2, "data": data, "annotations": [{"result": []}, {"ground_truth": True, "result": [other]}]}
    empty = {"id": 3, "data": data, "annotations": [{"result": []}]}
    nobody = {"id": 4, "data": data, "annotations": [], "predictions": [{"result": [region(score=0.5)]}]}
    path = studio(tmp_path, done, truth, empty, nobody)
    export = open_annotations(path)
    assert [sorted(document.labels()) for document in export.images()] == [["cat"], ["dog"], []]
    assert export.lost.count("dropped", "a task that nobody has annotated") == 1
    assert export.lost.count("dropped", "several annotations") == 1
    found = [document.shapes for document in open_annotations(path, predictions=True).images()]
    assert found[-1][0].score == 0.5


def test_parts_of_a_region_and_answers(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    bitmap = np.zeros((40, 60), np.bool_)
    bitmap[3:9, 5:7] = True
    value = {"format": "rle", "rle": brush.encode(bitmap)}
    result = [
        {"id": "x", "type": "brush", "value": value, **SIZE},
        {"id": "x", "type": "labels", "value": {"labels": ["dog"]}, **SIZE},
        {"type": "choices", "from_name": "quality", "value": {"choices": ["good"]}},
        region(id="turned", image_rotation=90),
        {"id": "bare", "value": {"x": 1, "y": 1}, **SIZE},
    ]
    path = studio(tmp_path, {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": result}]})
    export = open_annotations(path)
    (document,) = export.images()
    assert document.attributes == {"quality": ["good"]} and len(document.shapes) == 1
    assert np.array_equal(rasterize(document, (40, 60), LabelSpace(("background", "dog"))), bitmap)
    assert export.lost.count("dropped", "turned in Label Studio") == 1
    assert export.lost.count("dropped", "without a label") == 1


def test_the_short_form_and_a_file_an_annotation(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    value = {"x": 50, "y": 50, "width": 0.5, "keypointlabels": ["eye"], "original_width": 60, "original_height": 40}
    studio(tmp_path, {"image": "a.jpg", "id": 1, "label": [value], "annotator": 1, "annotation_id": 2})
    (document,) = open_annotations(tmp_path).images()
    assert document.shapes == (Shape("eye", Points(((30.0, 20.0),))),)
    (tmp_path / "export.json").unlink()
    single = {"id": 7, "result": [region()], "task": {"id": 1, "data": {"image": "a.jpg"}}}
    (tmp_path / "7.json").write_text(json.dumps(single))
    (document,) = open_annotations(tmp_path).images()
    assert document.labels() == {"cat"}


def test_scores_make_predictions(tmp_path: Path) -> None:
    document = AnnotatedImage("a.jpg", width=60, height=40, shapes=(Shape("x", Rectangle(0, 0, 6, 4), score=0.25),))
    write_annotations([document], tmp_path / "o.json", tool="labelstudio")
    (task,) = json.loads((tmp_path / "o.json").read_text())
    (entry,) = task["predictions"][0]["result"]
    assert entry["score"] == 0.25 and entry["value"]["width"] == 10 and entry["from_name"] == "rectangle"


@pytest.mark.parametrize(
    "value",
    [
        {"x": 50, "y": 50, "radiusX": -3, "radiusY": 4},
        {"x": 50, "y": 50, "width": 9, "height": -2},
    ],
)
def test_regions_of_negative_size_are_dropped(value: dict[str, float], tmp_path: Path) -> None:
    kind = "ellipselabels" if "radiusX" in value else "rectanglelabels"
    result = {"type": kind, "original_width": 60, "original_height": 40, "value": {**value, kind: ["a"]}}
    photo(tmp_path / "p" / "a.png")
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [result]}]}
    opened = open_annotations(studio(tmp_path / "p", task))
    assert [document.shapes for document in opened] == [()]
    assert "negative" in str(opened.lost)
