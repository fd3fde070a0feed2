"""Whatever a file holds, a reader either reads it or raises `DataError`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.annotations.document import AnnotatedVideo
from intarsia.annotations.formats import cvat, labelbox, page, rectlabel, via
from intarsia.errors import DataError

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

numbers = st.one_of(
    st.integers(-3, 30), st.floats(), st.sampled_from([10**400, 1e300, -1, 0, True, None, "7", "x", "nan", "1e999", ""])
)
scalars = st.one_of(numbers, st.text(max_size=6), st.sampled_from(["car", "a.jpg", "../a.png", "C:\\a.png", "\0"]))


def values(keys: list[str]) -> st.SearchStrategy[Any]:
    """JSON values whose objects have the format's own keys."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(keys), inner, max_size=6),
        max_leaves=20,
    )


def consume(reader: Any, path: Path, **options: Any) -> None:
    """Read everything, videos frame by frame."""
    try:
        opened = reader.read(path, **options)
        for document in opened:
            document.labels()
            if isinstance(document, AnnotatedVideo):
                for _, _image in zip(range(30), document.images(), strict=False):
                    pass
        str(opened.lost)
    except DataError as error:
        assert len(str(error)) > 10


VIA = [
    *("filename", "size", "regions", "file_attributes", "shape_attributes", "region_attributes", "name", "x", "y"),
    *("width", "height", "cx", "cy", "r", "all_points_x", "all_points_y", "base64_img_data", "class", "0", "options"),
]
region = st.fixed_dictionaries(
    {
        "shape_attributes": st.fixed_dictionaries(
            {"name": st.sampled_from(["rect", "circle", "ellipse", "polygon", "polyline", "point", "?"])},
            optional={key: numbers for key in ("x", "y", "width", "height", "cx", "cy", "r", "rx", "ry", "theta")}
            | {key: st.lists(numbers, max_size=5) for key in ("all_points_x", "all_points_y")},
        )
        | values(VIA),
        "region_attributes": values(VIA),
    }
)
entry = st.fixed_dictionaries(
    {"filename": scalars, "regions": st.lists(region, max_size=4) | values(VIA)},
    optional={"size": numbers, "file_attributes": values(VIA), "base64_img_data": scalars},
)


@quick
@given(st.dictionaries(st.text(max_size=3), entry | values(VIA), max_size=3), st.booleans(), values(VIA), values(VIA))
def test_via(tmp_path_factory: pytest.TempPathFactory, data: Any, project: bool, fields: Any, settings_: Any) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.json"
    if project:
        data = {
            "_via_img_metadata": data,
            "_via_attributes": {"region": fields, "file": fields},
            "_via_settings": {"core": settings_},
        }
    path.write_text(json.dumps(data))
    consume(via, path)


VIA3 = ["vid", "z", "xy", "av", "1", "2", "fid_list", "fname", "type", "loc", "src", "aname", "options"]
metadata = st.fixed_dictionaries(
    {"vid": st.sampled_from(["1", 2, None]), "z": st.lists(numbers, max_size=3) | scalars},
    optional={
        "xy": st.lists(st.integers(0, 10) | numbers, max_size=9) | scalars,
        "av": st.dictionaries(st.sampled_from(["1", "2"]), values(VIA3), max_size=2),
    },
)


@quick
@given(
    st.dictionaries(st.text(max_size=2), metadata | values(VIA3), max_size=4),
    st.dictionaries(st.sampled_from(["1", "2"]), values(VIA3), max_size=2),
    st.dictionaries(st.sampled_from(["1", "2"]), values(VIA3), max_size=2),
)
def test_via_3(tmp_path_factory: pytest.TempPathFactory, entries: Any, views: Any, attributes: Any) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.json"
    files = {"1": {"fname": "a.jpg", "type": 2, "loc": 4, "src": "data:x"}, "2": {"fname": "b.mp4", "type": 4}}
    project = {
        "project": {"vid_list": []},
        "attribute": attributes,
        "file": files,
        "view": {"1": {"fid_list": [1]}, "2": {"fid_list": ["2"]}} | views,
        "metadata": entries,
        "config": views,
    }
    path.write_text(json.dumps(project))
    consume(via, path)


cells = st.one_of(st.text(max_size=8), values(VIA).map(json.dumps), scalars.map(str)).map(
    lambda text: text.encode("utf-8", "replace").decode()
)


@quick
@given(st.lists(st.lists(cells, max_size=8), max_size=5), st.booleans())
def test_via_csv(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], third: bool) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.csv"
    if third:
        header = "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata"
    else:
        header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    rows = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    consume(via, path)


LABELBOX = [
    *("data_row", "projects", "labels", "annotations", "objects", "frames", "segments", "name", "bounding_box", "top"),
    *("left", "height", "width", "polygon", "x", "y", "line", "point", "mask", "composite_mask", "color_rgb", "1", "f"),
    *("Label", "DataRow ID", "Labeled Data", "External ID", "title", "bbox", "instanceURI", "featureId", "feature_id"),
    *("classifications", "answer", "answers", "geometry", "frameNumber", "dataRow", "uuid", "globalKey", "id", "png"),
]
point = st.fixed_dictionaries({"x": numbers, "y": numbers})
thing = st.fixed_dictionaries(
    {"name": scalars},
    optional={
        "bounding_box": st.fixed_dictionaries({key: numbers for key in ("top", "left", "height", "width")}),
        "polygon": st.lists(point | scalars, max_size=5),
        "line": st.lists(point, max_size=4),
        "point": point | scalars,
        "mask": values(LABELBOX),
        "composite_mask": values(LABELBOX),
        "classifications": st.lists(values(LABELBOX), max_size=3),
        "feature_id": scalars,
        "frameNumber": numbers,
    },
)
things = st.lists(thing | values(LABELBOX), max_size=4)


def row_of_version_2(objects: Any, frames: Any, other: Any, video: bool) -> Any:
    annotations = {"objects": objects, "classifications": other}
    if video:
        annotations = {"frames": {"1": {"objects": frames}, "x": other, "3": other}, "segments": other}
    label = {"annotations": annotations}
    return {"data_row": {"id": "d"}, "media_attributes": other, "projects": {"p": {"labels": [label, other]}}}


def row_of_version_1(objects: Any, frames: Any, other: Any, video: bool) -> Any:
    listed = [{"frameNumber": 1, "objects": objects}, other, {"frameNumber": 4, "objects": other}]
    label = listed if video else {"objects": objects, "classifications": other}
    return {"Labeled Data": "a.jpg", "DataRow ID": "d", "Label": label, "Media Attributes": other}


@quick
@given(
    things,
    st.dictionaries(st.sampled_from(["f", "g"]), thing, max_size=2),
    values(LABELBOX),
    st.booleans(),
    st.sampled_from((row_of_version_1, row_of_version_2)),
)
def test_labelbox(
    tmp_path_factory: pytest.TempPathFactory, objects: Any, frames: Any, other: Any, video: bool, row: Any
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.ndjson"
    path.write_text(json.dumps(row(objects, frames, other, video)) + "\n" + json.dumps({"Label": other}) + "\n")
    consume(labelbox, path, missing_masks="skip")


@quick
@given(st.lists(st.tuples(thing, values(LABELBOX)), max_size=4))
def test_labelbox_import(tmp_path_factory: pytest.TempPathFactory, entries: Any) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.ndjson"
    rows = [{"uuid": "u", "dataRow": {"globalKey": "a"}, **one, "answer_": other} for one, other in entries]
    rows += [{"uuid": "u", "dataRow": other, "answer": other} for _, other in entries]
    path.write_text("\n".join(map(json.dumps, rows)))
    consume(labelbox, path, missing_masks="skip")


texts = st.one_of(
    st.sampled_from(["1,2;3,4;5,6", "1,2", ";;", "nan,1;2,3", "0", "1", "5", "a.jpg", "../a", "3, 1", "car", "1e999"]),
    st.integers(-5, 40).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=6),
)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def element(tags: list[str], attributes: list[str]) -> st.SearchStrategy[str]:
    """XML elements made of a format's own names."""
    own = st.dictionaries(st.sampled_from(attributes), texts, max_size=8).map(
        lambda found: "".join(f' {name}="{escaped(text)}"' for name, text in found.items())
    )
    return st.recursive(
        texts.map(escaped),
        lambda inner: st.tuples(st.sampled_from(tags), own, st.lists(inner, max_size=4)).map(
            lambda parts: f"<{parts[0]}{parts[1]}>{''.join(parts[2])}</{parts[0]}>"
        ),
        max_leaves=25,
    )


CVAT = element(
    [
        *("meta", "task", "project", "tasks", "labels", "label", "name", "start_frame", "stop_frame", "frame_filter"),
        *("image", "track", "box", "polygon", "points", "ellipse", "mask", "skeleton", "attribute", "cuboid", "values"),
    ],
    [
        *("name", "id", "width", "height", "label", "points", "frame", "outside", "keyframe", "rle", "left", "top"),
        *("xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "rotation", "z_order", "group_id", "subset", "task_id"),
    ],
)
RECTLABEL = element(
    [
        *("filename", "size", "width", "height", "object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "polygon"),
        *(
            "x1",
            "y1",
            "x2",
            "y2",
            "x3",
            "y3",
            "cubic_bezier",
            "x1_c1",
            "y1_c1",
            "pixels",
            "id",
            "keypoints",
            "v1",
            "line",
        ),
    ],
    ["name"],
)
TEXT = element(
    [
        *(
            "Description",
            "MeasurementUnit",
            "fileName",
            "Tags",
            "OtherTag",
            "Layout",
            "Page",
            "PrintSpace",
            "TextBlock",
        ),
        *(
            "TextLine",
            "String",
            "Shape",
            "Polygon",
            "TextRegion",
            "Coords",
            "Baseline",
            "TextEquiv",
            "Unicode",
            "Point",
        ),
    ],
    [
        *("WIDTH", "HEIGHT", "HPOS", "VPOS", "BASELINE", "POINTS", "CONTENT", "ID", "TAGREFS", "LABEL", "imageWidth"),
        *("imageHeight", "imageFilename", "points", "custom", "x", "y", "index", "type"),
    ],
)


@quick
@given(st.lists(CVAT, max_size=4))
def test_cvat(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.xml"
    path.write_text(f"<annotations>{''.join(parts)}</annotations>", encoding="utf-8")
    consume(cvat, path)


@quick
@given(st.lists(RECTLABEL, max_size=4))
def test_rectlabel(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.xml"
    path.write_text(f"<annotation>{''.join(parts)}</annotation>", encoding="utf-8")
    consume(rectlabel, path, missing_masks="skip")


@quick
@given(st.lists(TEXT, max_size=4), st.sampled_from(("alto", "PcGts")))
def test_page_and_alto(tmp_path_factory: pytest.TempPathFactory, parts: list[str], root: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.xml"
    path.write_text(f"<{root}>{''.join(parts)}</{root}>", encoding="utf-8")
    consume(page, path)


@quick
@given(st.binary(max_size=200), st.sampled_from((".xml", ".json", ".csv", ".ndjson")))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    for reader in (cvat, rectlabel, page, via, labelbox):
        reader.sniff(folder)
        consume(reader, path)


@quick
@given(st.data())
def test_damaged_real_files(real_data: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A real export with some bytes changed or cut off."""
    samples = {
        "cvat/docs/images_1.1_doc_example.xml": cvat,
        "cvat/cvat-ai_datumaro/for_video/annotations.xml": cvat,
        "via/v1_official/unit_test_annotation1.csv": via,
        "via/v1_official/unit_test_annotation2.json": via,
        "via/v3_official/debug_project_4.json": via,
        "rectlabel/images_test/annotations/tuce-311434.xml": rectlabel,
        "labelbox/sdk_labelbox_v1/image_export.json": labelbox,
        "labelbox/v2_ndjson_labelformat_fixture/export-result.ndjson": labelbox,
    }
    name = data.draw(st.sampled_from(sorted(samples)))
    if not (real_data / "annotations" / name).is_file():
        pytest.skip("no annotation samples")
    content = bytearray((real_data / "annotations" / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    cut = data.draw(st.integers(0, len(content)) | st.none())
    path = tmp_path_factory.mktemp("fuzz") / Path(name).name
    path.write_bytes(bytes(content[:cut]))
    options = {"missing_masks": "skip"} if samples[name] in (labelbox, rectlabel) else {}
    consume(samples[name], path, **options)
