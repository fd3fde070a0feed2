"""Labelbox: the real exports, masks from a local folder, consensus, videos, round trips, bad files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotations.documents import assert_same, bare, images, names, sets, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations.document import AnnotatedImage, AnnotatedVideo, Category, Shape
from intarsia.annotations.formats import labelbox
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
from intarsia.annotations.tools import recognise
from intarsia.errors import DataError, UsageError


@pytest.fixture
def real(real_data: Path) -> Path:
    folder = real_data / "annotations" / "labelbox"
    if not folder.is_dir():
        pytest.skip(f"no Labelbox samples at {folder}")
    return folder


def png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def export_v2(path: Path, *objects: dict[str, Any], size: tuple[int, int] = (6, 8), **label: Any) -> Path:
    """One data row with one label."""
    annotations = {"objects": list(objects), "classifications": [], "relationships": []}
    row = {
        "data_row": {"id": "d1", "external_id": "a.jpg", "row_data": "https://x/a.jpg"},
        "media_attributes": {"height": size[0], "width": size[1], "mime_type": "image/jpeg"},
        "projects": {"p": {"name": "P", "labels": [{"id": "l1", "annotations": annotations} | label]}},
    }
    path.write_text(json.dumps(row) + "\n")
    return path


def mask_object(identity: str, **more: Any) -> dict[str, Any]:
    return {"feature_id": identity, "name": identity, "annotation_kind": "ImageSegmentationMask"} | more


def test_export_v1(real: Path) -> None:
    opened = labelbox.read(real / "sdk_labelbox_v1" / "image_export.json", missing_masks="skip")
    (image,) = opened.images()
    assert image.name == "2560px-Kitano_Street_Kobe01s5s4110.jpg"
    kinds = [type(shape.geometry) for shape in image.shapes]
    assert {kind: kinds.count(kind) for kind in kinds} == {Rectangle: 4, Polygon: 2, Polyline: 2, Points: 1}
    assert image.shapes[0].geometry == Rectangle(965, 1333, 965 + 594, 1333 + 186)
    assert image.shapes[1].attributes["has_handbag"] == "True"
    assert image.shapes[1].attributes["forever_nested"] == "hmmm"
    assert opened.lost.lines() == [
        "dropped 1: a mask's file is missing (image_export.json: 2560px-Kitano_Street_Kobe01s5s4110.jpg: shape 5)"
    ]


def test_masks_of_export_v1_come_from_the_folder(real: Path) -> None:
    folder = real / "v1_masks_real"
    opened = labelbox.read(folder / "labelbox.json", missing_masks="skip")
    found = {image.name: image for image in opened.images() if image.shapes}
    assert len(found) == 8
    mask = found["69.jpg"].shapes[0].geometry
    assert isinstance(mask, Mask)
    expected = np.asarray(Image.open(folder / "8906" / "69.png").convert("RGBA"))[..., 3] > 0
    assert np.count_nonzero(mask.bitmap) == np.count_nonzero(expected)
    assert (found["69.jpg"].height, found["69.jpg"].width) == expected.shape
    # The photo is there; of the others only the mask, which is not taken for the photo.
    assert [image.name for image in found.values() if image.image] == ["69.jpg"]
    assert opened.lost.count("dropped", "several labels (consensus)") == 1


def test_a_missing_mask_is_named(real: Path, tmp_path: Path) -> None:
    (tmp_path / "labelbox.json").write_bytes((real / "v1_masks_real" / "labelbox.json").read_bytes())
    with pytest.raises(DataError, match=r"labelbox\.json: 101\.jpg: its mask ck5ry4vpq00480y5c7920i9fe\.png is not in"):
        list(labelbox.read(tmp_path))


def test_export_v2(real: Path) -> None:
    opened = labelbox.read(real / "v2_ndjson_boxes_real")
    found = list(opened.images())
    assert (len(found), sum(len(image.shapes) for image in found)) == (112, 839)
    assert (found[0].name, found[0].width, found[0].height) == ("frame_00001.jpg", 780, 760)
    assert found[0].shapes[0].label == "plane"
    assert found[0].shapes[0].geometry == Rectangle(172, 362, 172 + 63, 362 + 59)
    assert not opened.lost


def test_masks_of_export_v2(tmp_path: Path) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[1:3, 2:5] = (255, 0, 1)
    pixels[4:6, 2:5] = (255, 0, 2)  # nearly the same colour
    one = np.zeros((6, 8), np.uint8)
    one[0, 7] = 255
    png(tmp_path / "masks" / "f1.png", one)
    png(tmp_path / "masks" / "l1.png", pixels)
    composite = {"url": "https://api.labelbox.com/x", "color_rgb": [255, 0, 2]}
    path = export_v2(
        tmp_path / "a.ndjson",
        mask_object("f1", mask={"url": "https://api.labelbox.com/y"}),
        mask_object("f2", composite_mask=composite),
        mask_object("f3", composite_mask={"url": "", "color_rgb": [9, 9, 9]}),
        mask_object("f4", composite_mask={"url": "", "color_rgb": [9, 9]}),
    )
    opened = labelbox.read(path, masks=tmp_path / "masks")
    (image,) = opened.images()
    assert [shape.label for shape in image.shapes] == ["f1", "f2"]
    assert image.shapes[0].geometry == Mask(np.ones((1, 1), bool), 7, 0)
    assert image.shapes[1].geometry == Mask(np.ones((2, 3), bool), 2, 4)
    assert opened.lost.count("dropped", "a mask is empty") == 1
    assert opened.lost.count("dropped", "a mask has no colour") == 1


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    path = export_v2(tmp_path / "a.ndjson", mask_object("f1", mask={"url": ""}))
    png(tmp_path / "f1.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError, match=r"f1\.png: the mask has 5x5 pixels, its photo 8x6"):
        list(labelbox.read(path))
    Image.new("RGB", (8, 6)).save(tmp_path / "f1.png", "JPEG")
    with pytest.raises(DataError, match=r"f1\.png: a JPEG blurs"):
        list(labelbox.read(path))
    (tmp_path / "f1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"f1\.png"):
        list(labelbox.read(path))
    with pytest.raises(UsageError, match="Did you mean 'skip'"):
        labelbox.read(path, missing_masks="skp")


def test_feature_ids_lead_nowhere(tmp_path: Path) -> None:
    png(tmp_path / "secret.png", np.full((6, 8), 255, np.uint8))
    path = export_v2(tmp_path / "a.ndjson", mask_object("../secret", mask={"url": ""}))
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="is not in"):
        list(labelbox.read(path, masks=tmp_path / "masks"))


def test_one_label_of_several_is_taken(tmp_path: Path) -> None:
    def label(name: str, **more: Any) -> dict[str, Any]:
        box = {"feature_id": name, "name": name, "bounding_box": {"top": 0, "left": 0, "height": 2, "width": 3}}
        return {"id": name, "annotations": {"objects": [box], "classifications": []}} | more

    for more, taken in (({}, "first"), ({"label_details": {"is_benchmark_reference_label": True}}, "second")):
        labels = [label("first"), label("second", **more)]
        row = {"data_row": {"id": "d", "external_id": "a.jpg"}, "projects": {"p": {"labels": labels}}}
        (tmp_path / "a.ndjson").write_text(json.dumps(row))
        opened = labelbox.read(tmp_path / "a.ndjson")
        (image,) = opened.images()
        assert image.labels() == {taken}
        assert opened.lost.count("dropped", "several labels (consensus), one is taken") == 1


def test_the_form_of_2018(tmp_path: Path) -> None:
    ring = [{"x": 1, "y": 2}, {"x": 5, "y": 2}, {"x": 5, "y": 3}]
    label = {"car": [{"geometry": ring}, {"geometry": ring[:2]}], "sky": [ring], "weather": "rain",
             "wkt": "MULTIPOLYGON (((1 2, 3 4, 5 6)))"}  # fmt: skip
    rows = [
        {"ID": "1", "Labeled Data": "https://x.org/p/a.png?k=1", "Label": label},
        {"ID": "2", "Labeled Data": "https://x.org/p/b.png", "Label": "Skip"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    Image.new("RGB", (8, 10)).save(tmp_path / "a.png")
    opened = labelbox.read(tmp_path)
    (image,) = opened.images()
    assert (image.name, image.image, image.attributes) == ("a.png", tmp_path / "a.png", {"weather": "rain"})
    polygon = Polygon.of([(1, 2), (5, 2), (5, 3)])
    assert image.shapes == (Shape("car", polygon), Shape("sky", polygon))
    assert opened.lost.count("dropped", "fewer than 3 points") == 1
    assert opened.lost.count("dropped", "WKT") == 1
    assert opened.lost.count("dropped", "skipped or not labelled") == 1
    (image,) = labelbox.read(tmp_path, y_from_bottom=True).images()
    assert image.shapes[0].geometry == Polygon.of([(1, 8), (5, 8), (5, 7)])
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="its photo is missing, whose height is needed"):
        list(labelbox.read(tmp_path, y_from_bottom=True))


def test_a_video_of_export_v1(real: Path) -> None:
    (video,) = labelbox.read(real / "sdk_labelbox_v1" / "video_export.json")
    assert isinstance(video, AnnotatedVideo)
    assert (video.start, video.stop, len(video.tracks)) == (0, 99, 7)
    rows = json.loads((real / "sdk_labelbox_v1" / "video_export.json").read_text())["Label"]
    assert [len(image.shapes) for image in video.images()] == [len(row["objects"]) for row in rows]
    box = rows[0]["objects"][0]["bbox"]
    first = video.tracks[0].keyframes[0].geometry
    assert first == Rectangle(box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"])


def test_a_video_of_export_v2_ends_with_its_segments(tmp_path: Path) -> None:
    def box(left: int) -> dict[str, Any]:
        return {"feature_id": "f", "name": "car", "bounding_box": {"top": 0, "left": left, "height": 2, "width": 2}}

    annotations = {
        "frames": {"1": {"objects": {"f": box(0)}}, "5": {"objects": {"f": box(8)}}, "8": {"objects": {"f": box(1)}}},
        "segments": {"f": [[1, 6], [8, 8]]},
    }
    row = {
        "data_row": {"id": "d", "external_id": "v.mp4"},
        "media_attributes": {"width": 20, "height": 10, "frame_rate": 25, "frame_count": 10},
        "projects": {"p": {"labels": [{"annotations": annotations}]}},
    }
    (tmp_path / "a.ndjson").write_text(json.dumps(row))
    (video,) = labelbox.read(tmp_path)
    assert isinstance(video, AnnotatedVideo)
    assert (video.stop, video.frames_per_second, video.width) == (9, 25, 20)
    positions = [[shape.geometry.x1 for shape in image.shapes] for image in video.images()]  # type: ignore[union-attr]
    assert positions == [[0], [2], [4], [6], [8], [8], [], [1], [], []]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"name": "a"}, "shape type 'without geometry' is unknown"),
        ({"name": "a", "annotation_kind": "TextEntity", "location": {}}, "shape type 'TextEntity' is unknown"),
        ({"bounding_box": {"top": 1}}, "no class"),
        ({"name": "a", "bounding_box": {"top": 1}}, "not a number"),
        ({"name": "a", "polygon": [{"x": 1, "y": 1}] * 2}, "fewer than 3 points"),
        ({"name": "a", "polygon": 4}, "not a list of x and y"),
        ({"name": "a", "point": {"x": float("nan"), "y": 1}}, "not finite"),
        ({"name": "a", "geometry": {"coordinates": []}}, "geographic"),
        ({"name": "a", "page": 1, "bbox": {}}, "the page of a document"),
    ],
)
def test_bad_objects_are_counted(tmp_path: Path, entry: dict[str, Any], reason: str) -> None:
    good = {"name": "b", "point": {"x": 1, "y": 1}}
    opened = labelbox.read(export_v2(tmp_path / "a.ndjson", entry, good))
    (image,) = opened.images()
    assert image.labels() == {"b"}
    assert opened.lost.count("dropped", reason) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"data_row": {}, "projects": {}}\n{"data_row"', "line 2 is broken JSON"),
        (b'{"data_row": {}, "projects": {}}\n[1]', "line 2 is no row"),
        (b'{"data_row": {}, "projects": {}}\n"\xff"', "line 2 is not UTF-8"),
        (b"[4]", "not a Labelbox file: a row is no object"),
        (b'{"a": 1}', "not a Labelbox file: it has no data rows"),
        (b"", "broken JSON"),
        (b'[{"Labeled Data": "a.jpg", "Label": ', "broken JSON at line 1"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        list(labelbox.read(path))
    assert str(path) in str(caught.value)


def test_sdk_import_files_are_read(real: Path) -> None:
    opened = labelbox.read(real / "sdk_ndjson_import" / "relationship_import.json")
    first, second = opened.images()
    assert first.labels() == second.labels() == {"cat", "dog"}
    assert first.shapes[0].geometry == Rectangle(100, 200, 200, 300)
    assert opened.lost.count("dropped", "a relation between objects") == 2


def test_lines_are_what_the_sdk_uploads(tmp_path: Path) -> None:
    document = AnnotatedImage(
        "a.jpg",
        width=3,
        height=2,
        shapes=(
            Shape("car", Rectangle(1, 0, 3, 2), score=0.5, attributes={"color": "red", "seen": ["a", "b"]}),
            Shape("dot", Points(((1, 2), (0, 0)))),
            Shape("blob", Mask(np.ones((1, 2), bool), 1, 1)),
        ),
    )
    classes = [Category("car", (255, 0, 0)), Category("sky")]
    lost = labelbox.write([document, AnnotatedImage("b.jpg")], tmp_path / "a.ndjson", categories=classes)
    assert lost.count("dropped", "the color of a class") == 1
    assert lost.count("dropped", "a class that no shape has") == 1
    lines = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert lines[0] | {"uuid": ""} == {
        "uuid": "",
        "dataRow": {"globalKey": "a.jpg"},
        "name": "car",
        "bbox": {"top": 0, "left": 1, "height": 2, "width": 2},
        "classifications": [
            {"name": "color", "answer": "red"},
            {"name": "seen", "answer": [{"name": "a"}, {"name": "b"}]},
        ],
        "confidence": 0.5,
    }
    assert [line.get("point") for line in lines] == [None, {"x": 1, "y": 2}, {"x": 0, "y": 0}, None]
    assert len({line["uuid"] for line in lines}) == 4
    assert set(lines[3]["mask"]) == {"png"}
    assert lost.count("dropped", "leaves no line") == 1
    assert lost.count("changed", "points became shapes of their own") == 2
    known = replace(document, tool="labelbox", extra={"data_row": "d1"})
    labelbox.write([known], tmp_path / "b.ndjson")
    assert json.loads((tmp_path / "b.ndjson").read_text().splitlines()[0])["dataRow"] == {"id": "d1"}
    with pytest.raises(DataError, match="nothing to write"):
        labelbox.write([], tmp_path / "c.ndjson")
    with pytest.raises(DataError, match=r"the size of a\.jpg is not known"):
        labelbox.write([replace(document, width=None)], tmp_path / "c.ndjson")


def test_the_registry_finds_it(real: Path) -> None:
    for name in ("v1_masks_real", "v2_ndjson_boxes_real", "sdk_ndjson_import/rectangle_import.json"):
        tool = recognise(real / name)
        assert tool is not None
        assert tool.name == "labelbox"


FIELDS = st.fixed_dictionaries({}, optional={"note": texts, "parts": st.lists(names, max_size=3)})
quick = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
KINDS = (Polygon, Polyline, Rectangle, Mask)


@quick
@given(sets(images(KINDS, angles=False, attributes=FIELDS, shape_fields={"score": st.none() | st.floats(0, 1)})))
def test_images_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    path = tmp_path_factory.mktemp("labelbox") / "out.ndjson"
    with_shapes = [image for image in documents if image.shapes]
    if not with_shapes:
        return
    lost = labelbox.write(documents, path)
    assert lost.count() == lost.count("dropped", "size of images") + lost.count("dropped", "leaves no line")
    found = [replace(bare(image), width=None, height=None) for image in labelbox.read(path).images()]
    assert_same(found, [replace(image, width=None, height=None) for image in with_shapes])


EVERYTHING = (*KINDS, Points, Bezier, Circle, Ellipse, Cuboid, Skeleton, Tag)


@quick
@given(sets(images(EVERYTHING, shape_fields={"z": st.integers(0, 3)}).filter(lambda image: len(image.shapes) > 2)))
def test_any_document_is_written_and_nothing_goes_silently(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    path = tmp_path_factory.mktemp("labelbox") / "out.ndjson"
    gone = (Tag, Cuboid, Skeleton)
    kept = [[shape.label for shape in one.shapes if not isinstance(shape.geometry, gone)] for one in documents]
    if not any(kept):
        return
    lost = labelbox.write(documents, path)
    found = {image.name: image for image in labelbox.read(path).images()}
    for document, labels in zip(documents, kept, strict=True):
        assert (found[document.name].labels() if labels else set()) == set(labels)
    dropped = sum(isinstance(shape.geometry, gone) for one in documents for shape in one.shapes)
    assert lost.count("dropped", "has no counterpart") == dropped
