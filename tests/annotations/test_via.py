"""VGG Image Annotator: the real files of its three versions, classes, round trips, bad files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from annotations.documents import assert_same, bare, images, names, sets, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations.document import AnnotatedImage, Category, Shape
from intarsia.annotations.formats import via
from intarsia.annotations.geometry import Bezier, Circle, Ellipse, Mask, Points, Polygon, Polyline, Rectangle, Tag
from intarsia.annotations.tools import recognise
from intarsia.errors import DataError, UsageError


@pytest.fixture
def real(real_data: Path) -> Path:
    folder = real_data / "annotations" / "via"
    if not folder.is_dir():
        pytest.skip(f"no VIA samples at {folder}")
    return folder


def placeless(path: Path, **options: Any) -> list[AnnotatedImage]:
    return [replace(image, source=Path()) for image in via.read(path, **options).images()]


def test_version_1_csv_is_version_1_json(real: Path) -> None:
    csv = placeless(real / "v1_official" / "unit_test_annotation1.csv")
    json_ = placeless(real / "v1_official" / "unit_test_annotation2.json")
    assert csv == json_
    assert [len(image.shapes) for image in csv] == [8, 1, 3]
    assert csv[0].shapes[0] == Shape('ellipse "red"', Ellipse(252, 190, 27, 26))
    assert csv[0].shapes[1].geometry == Rectangle(290, 208, 417, 321)
    assert csv[0].attributes == {"caption": "+-08374*&$£*"}
    assert csv[0].shapes[5].label == "object"
    # Version 1 repeats a polygon's first point.
    polygon = csv[1].shapes[0].geometry
    assert isinstance(polygon, Polygon)
    assert len(polygon.rings[0]) == 11
    assert all(image.image is not None for image in csv)


def test_version_1_json_is_version_2(real: Path, tmp_path: Path) -> None:
    old = json.loads((real / "v1_official" / "unit_test_annotation2.json").read_text())
    for entry in old.values():
        entry["regions"] = list(entry["regions"].values())
        for region in entry["regions"]:
            shape = region["shape_attributes"]
            for axis in ("all_points_x", "all_points_y"):
                if axis in shape:
                    shape[axis] = shape[axis][:-1]
    (tmp_path / "v2.json").write_text(json.dumps(old))
    (tmp_path / "project.json").write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": old}))
    expected = placeless(real / "v1_official" / "unit_test_annotation2.json")
    folder = real / "v1_official"
    assert placeless(tmp_path / "v2.json", images=folder) == expected
    assert placeless(tmp_path / "project.json", images=folder) == expected


def test_version_2_csv_is_version_2_json(real: Path) -> None:
    folder = real / "receipts_csv_json_coco"
    assert placeless(folder / "via_export_csv.csv") == placeless(folder / "via_export_json.json")
    # In a folder the CSV file is a copy.
    opened = via.read(folder)
    assert [len(image.shapes) for image in opened.images()] == [3] * 6
    assert opened.lost.count("dropped", "taken for its copy") == 1


def test_choices_are_read_by_their_texts(tmp_path: Path) -> None:
    region = {
        "shape_attributes": {"name": "point", "cx": 1, "cy": 2},
        "region_attributes": {"kind": "c", "extras": {"w": True, "x": False, "y": True}, "note": "n"},
    }
    project = {
        "_via_settings": {"core": {"default_filepath": "/home/me/photos/"}},
        "_via_img_metadata": {
            "a.jpg-1": {"filename": "a.jpg", "size": -1, "regions": [region], "file_attributes": {"sky": "1"}}
        },
        "_via_attributes": {
            "region": {
                "kind": {"type": "dropdown", "options": {"c": "Car", "d": ""}, "default_options": {"d": True}},
                "extras": {"type": "checkbox", "options": {"w": "Wheels", "y": ""}, "default_options": {}},
                "note": {"type": "text", "default_value": "none"},
            },
            "file": {"sky": {"type": "radio", "options": {"1": "blue"}}},
        },
    }
    (tmp_path / "p.json").write_text(json.dumps(project))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    opened = via.read(tmp_path / "p.json")
    (image,) = opened.images()
    assert image.image == tmp_path / "a.jpg"
    assert image.attributes == {"sky": "blue"}
    (shape,) = image.shapes
    assert (shape.label, shape.geometry) == ("Car", Points(((1, 2),)))
    assert shape.attributes == {"extras": ["Wheels", "y"], "note": "n"}
    assert [category.name for category in opened.categories] == ["Car", "d"]
    assert opened.categories[0].attributes[0].values == ("Wheels", "y")
    (other,) = via.read(tmp_path / "p.json", class_attribute="extras").images()
    assert other.shapes[0].label == "Wheels"
    with pytest.raises(UsageError, match=r"no region has an attribute 'kinds'. Did you mean 'kind'"):
        via.read(tmp_path / "p.json", class_attribute="kinds")


def test_regions_without_a_class_get_one(real: Path) -> None:
    opened = via.read(real / "masking_v2" / "via_export_json.json", default_class="lump")
    assert {shape.label for image in opened.images() for shape in image.shapes} == {"lump"}
    assert opened.lost.count("changed", "a region without a class") == 19


def test_closed_polylines(real: Path) -> None:
    path = real / "polyline_only_v2" / "via_region_data.json"
    (image,) = via.read(path).images()
    assert {type(shape.geometry) for shape in image.shapes} == {Polyline}
    (image,) = via.read(path, closed_polylines=True).images()
    assert {type(shape.geometry) for shape in image.shapes} == {Polygon}
    assert image.labels() == {"fifty"}


def test_version_3_images(real: Path) -> None:
    opened = via.read(real / "v3_official" / "debug_project_4.json")
    first, second = opened.images()
    (shape,) = first.shapes
    assert shape.label == "Swan"
    assert shape.geometry == Rectangle(104.553, 119.393, 423.609, 273.862)
    assert first.attributes == {"Caption": "A white swan in Geneva lake."}
    assert first.image is not None
    assert second.shapes == ()
    assert [category.name for category in opened.categories] == ["Swan", "Human", "Unknown"]


def test_version_3_videos(real: Path) -> None:
    opened = via.read(real / "v3_official" / "video_demo_project.json", class_attribute="Object")
    found = list(opened.images())
    assert {image.name for image in found[:-1]} == {"Alioli.mp4"}
    segments = next(image for image in found if image.time is None)
    assert segments.shapes[0].label == "1. break egg"
    assert segments.shapes[0].geometry == Tag()
    assert segments.shapes[0].attributes == {"start": 2, "end": 6.5}
    moments = [image for image in found if image.time is not None]
    assert moments
    assert all(isinstance(shape.geometry, Rectangle | Ellipse | Polygon) for m in moments for shape in m.shapes)


def test_version_3_csv(tmp_path: Path) -> None:
    attributes = {"1": {"aname": "type", "type": 3, "options": {"0": "Title", "1": "Chart"}}}
    text = (
        "# Exported using VGG Image Annotator\n# Notes:\n"
        f"# ATTRIBUTE = {json.dumps(attributes)}\n"
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
        '"1_a","[""b.jpg""]",0,"[]","[7,1,2,3,4,5,9]","{""1"":""1""}"\n'
        '"1_b","[""v.mp4""]",0,"[2.5]","[3,5,6,2]","{""1"":""0""}"\n'
    )
    (tmp_path / "a.csv").write_text(text)
    assert via.sniff(tmp_path)
    still, moment = via.read(tmp_path).images()
    assert (still.name, still.shapes) == ("b.jpg", (Shape("Chart", Polygon.of([(1, 2), (3, 4), (5, 9)])),))
    assert (moment.name, moment.time, moment.shapes) == ("v.mp4", 2.5, (Shape("Title", Circle(5, 6, 2)),))


@pytest.mark.parametrize(
    ("xy", "geometry"),
    [
        ([1, 2, 3], Points(((2, 3),))),
        ([4, 5, 6, 2, 1], Ellipse(5, 6, 2, 1)),
        ([5, 1, 2, 3, 4], Polyline(((1, 2), (3, 4)))),
        ([6, 1, 2, 3, 4, 5, 6], Polyline(((1, 2), (3, 4), (5, 6)))),
        ([8, 3, 0, 9, 4, 3, 8, 1, 4], Rectangle(1, 0, 9, 8)),
        ([9, 0, 0, 4, 0, 4, 4], Circle(2, 2, 8**0.5)),
    ],
)
def test_version_3_shapes(tmp_path: Path, xy: list[float], geometry: object) -> None:
    project = {
        "project": {"vid_list": ["1"]},
        "attribute": {},
        "file": {"1": {"fid": 1, "fname": "a.jpg", "type": 2, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": [1]}},
        "metadata": {"x": {"vid": "1", "z": [], "xy": xy, "av": {}}},
    }
    (tmp_path / "p.json").write_text(json.dumps(project))
    (image,) = via.read(tmp_path / "p.json").images()
    assert_same(image.shapes[0].geometry, geometry)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"name": "star", "cx": 1, "cy": 1}, "shape type 'star' is unknown"),
        ({"name": "rect", "x": 1, "y": 1, "width": 2}, "not a number"),
        ({"name": "circle", "cx": 1, "cy": 1, "r": -1}, "negative"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "two lists of one length"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "fewer than 3 points"),
        ({"name": "point", "cx": float("nan"), "cy": 1}, "not finite"),
        ({"name": "point", "cx": 1e12, "cy": 1}, "far outside"),
        ([], "no shape"),
        ({}, "shape type None is unknown"),
    ],
)
def test_bad_regions_are_counted(tmp_path: Path, shape: object, reason: str) -> None:
    good = {"shape_attributes": {"name": "point", "cx": 1, "cy": 1}, "region_attributes": {"class": "a"}}
    regions = [{"shape_attributes": shape, "region_attributes": {"class": "a"}}, good, 7]
    entry = {"a": {"filename": "a.jpg", "size": 1, "regions": regions, "file_attributes": {}}, "b": 4}
    (tmp_path / "a.json").write_text(json.dumps(entry))
    opened = via.read(tmp_path / "a.json")
    (image,) = opened.images()
    assert len(image.shapes) == 1
    assert opened.lost.count("dropped", reason) == 1
    assert opened.lost.count("dropped", "no object") == 1
    assert opened.lost.count("dropped", "names no image") == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{", "broken JSON at line 1"),
        ("a.json", "[1]", "holds a list"),
        ("a.json", "{}", "no entry in it names an image"),
        ("a.json", '{"_via_img_metadata": 4}', "its images are no object"),
        ("a.json", "[" * 100_000, "broken JSON"),
        ("a.csv", "a,b\n1,2\n", "no column filename"),
        ("a.csv", "", "no image in it"),
        ("a.csv", "\xe4", "no image in it"),
        ("a.csv", "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
         'region_attributes\na.jpg,1,"{}",1,0,"{","{}"\n', "row 2 holds broken JSON"),
        ("a.csv", "# CSV_HEADER = metadata_id,spatial_coordinates\n1,2\n", "broken CSV"),
        ("a.json", '{"project": {"vid_list": []}}', "not a VIA 3 project"),
    ],
)  # fmt: skip
def test_broken_files_are_named(tmp_path: Path, name: str, content: str, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=reason) as caught:
        list(via.read(path))
    assert str(path) in str(caught.value)


def test_rows_that_are_missing_are_counted(tmp_path: Path) -> None:
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    circle = '"{""name"":""circle"",""cx"":3,""cy"":3,""r"":2}","{""class"":""a""}"\n'
    (tmp_path / "a.csv").write_text(f'{header}a.jpg,1,"{{}}",3,0,{circle}b.jpg,1,"{{}}",0,0,"{{}}","{{}}"\n')
    opened = via.read(tmp_path)
    assert [len(image.shapes) for image in opened.images()] == [1, 0]
    assert opened.lost.count("dropped", "region_count promises") == 2


def test_long_polygons_fit_into_a_csv_cell(tmp_path: Path) -> None:
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    xs, ys = list(range(60_000)), [number % 977 for number in range(60_000)]
    shape = json.dumps({"name": "polygon", "all_points_x": xs, "all_points_y": ys}).replace('"', '""')
    assert len(shape) > 300_000
    (tmp_path / "a.csv").write_text(f'{header}a.jpg,1,"{{}}",1,0,"{shape}","{{}}"\n')
    (image,) = via.read(tmp_path).images()
    assert len(image.shapes[0].geometry.rings[0]) == 60_000  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "C:\\x\\a.png", "file:///etc/a.png"])
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    inside = tmp_path / "export"
    inside.mkdir()
    entry = {"k": {"filename": name, "size": 1, "regions": [], "file_attributes": {}}}
    (inside / "a.json").write_text(json.dumps(entry))
    (image,) = via.read(inside).images()
    assert image.image is None


def test_web_addresses_are_found_by_their_file(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a b.png")
    entry = {"k": {"filename": "https://x.org/p/a%20b.png?size=2", "size": -1, "regions": [], "file_attributes": {}}}
    (tmp_path / "a.json").write_text(json.dumps(entry))
    (image,) = via.read(tmp_path).images()
    assert image.image == tmp_path / "a b.png"


def test_what_via_cannot_store_is_said(tmp_path: Path) -> None:
    document = AnnotatedImage(
        "a.jpg",
        width=20,
        height=20,
        shapes=(
            Shape("a", Rectangle(2, 2, 8, 6, 30), z=2),
            Shape("b", Points(((1, 1), (2, 2))), attributes={"class": "x", "n": 2, "ok": True}),
            Shape("c", Tag()),
            Shape("d", Bezier(((0, 0), (9, 0), (9, 9)), ((1, 0), (9, 1), (8, 9)), ((0, 1), (8, 0), (9, 8)))),
            Shape("e", Rectangle(0.1, 0, 0.7 + 0.1, 1e-17), score=0.5),
        ),
        subset="train",
    )
    lost = via.write([document, document], tmp_path / "a.json", categories=[Category("z")])
    for reason in (
        "a rotated rectangle became a polygon",
        "the z of a shape",
        "points became shapes of their own",
        "an attribute named 'class'",
        "a number or truth value became text",
        "a tag has no counterpart",
        "a bezier became a polygon",
        "the score of a shape",
        "the subset of an image",
        "several entries have the same image name",
        "does not store the size of images",
    ):
        assert lost.count(containing=reason), reason
    opened = via.read(tmp_path / "a.json")
    first, second = opened.images()
    assert first.shapes == second.shapes
    assert [shape.label for shape in first.shapes] == ["a", "b", "b", "d", "e"]
    assert first.shapes[1].attributes == {"n": "2", "ok": "true"}
    assert [category.name for category in opened.categories] == ["z", "a", "b", "c", "d", "e"]


def test_a_project_has_all_that_via_needs(tmp_path: Path) -> None:
    via.write([AnnotatedImage("a.jpg", shapes=(Shape("x", Rectangle(1, 2, 3, 4)),))], tmp_path / "a.json")
    project = json.loads((tmp_path / "a.json").read_text())
    assert project["_via_img_metadata"] == {
        "a.jpg-1": {
            "filename": "a.jpg",
            "size": -1,
            "regions": [
                {
                    "shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 2, "height": 2},
                    "region_attributes": {"class": "x"},
                }
            ],
            "file_attributes": {},
        }
    }
    assert project["_via_attributes"]["region"]["class"]["options"] == {"x": ""}
    assert project["_via_image_id_list"] == ["a.jpg-1"]
    assert project["_via_data_format_version"] == "2.0.10"
    assert set(project["_via_settings"]) == {"ui", "core", "project"}
    with pytest.raises(DataError, match="nothing to write"):
        via.write([], tmp_path / "b.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_real_files_survive_the_round_trip(real: Path, tmp_path: Path) -> None:
    checked = 0
    for folder in ("v1_official", "receipts_csv_json_coco", "polyline_only_v2", "masking_v2"):
        opened = via.read(real / folder)
        before = list(opened.images())
        lost = via.write(opened, tmp_path / "out.json", categories=opened.categories)
        assert lost.lines() == []
        after = list(via.read(tmp_path / "out.json").images())
        assert [bare(image) for image in after] == [bare(image) for image in before]
        checked += len(before)
    assert checked == 21


def test_the_registry_finds_it(real: Path) -> None:
    for path in (real / "v1_official", real / "masking_v2" / "via_export_json.json", real / "v3_official"):
        tool = recognise(path)
        assert tool is not None
        assert tool.name == "via"
    assert not via.sniff(real / "receipts_csv_json_coco" / "via_export_coco.json")
    assert not via.sniff(real / "polyline_only_v2" / "Labelme.json")


KINDS = (Polygon, Polyline, Circle, Ellipse)
FIELDS = st.fixed_dictionaries({}, optional={"note": texts, "parts": st.lists(names, max_size=3, unique=True)})
quick = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quick
@given(sets(images(KINDS, attributes=FIELDS)), st.booleans())
def test_images_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage], from_via: bool
) -> None:
    path = tmp_path_factory.mktemp("via") / "out.json"
    tool = "via" if from_via else ""
    lost = via.write([replace(image, tool=tool) for image in documents], path)
    assert lost.count() == lost.count("dropped", "does not store the size") + lost.count("changed", "last digit")
    opened = via.read(path, class_attribute="class")
    expected = [replace(image, width=None, height=None) for image in documents]
    assert_same([bare(image) for image in opened.images()], expected)


@quick
@given(sets(images((*KINDS, Points, Rectangle, Mask, Bezier, Tag), attributes=FIELDS)))
def test_any_document_is_written_and_nothing_goes_silently(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    path = tmp_path_factory.mktemp("via") / "out.json"
    lost = via.write(documents, path)
    found = list(via.read(path, class_attribute="class").images())
    for image, expected in zip(found, documents, strict=True):
        kept = [shape for shape in expected.shapes if not isinstance(shape.geometry, Tag)]
        assert {shape.label for shape in image.shapes} == {shape.label for shape in kept}
        assert len(image.shapes) >= len(kept)
    tags = sum(isinstance(shape.geometry, Tag) for image in documents for shape in image.shapes)
    assert lost.count("dropped", "a tag has no counterpart") == tags
