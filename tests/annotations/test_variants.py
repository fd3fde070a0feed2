"""Files as other versions and exporters of each tool write them: read with the same result as the plain form."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import AnnotatedImage, open_annotations
from intarsia.annotations.geometry import Geometry, Mask, Polygon, Rectangle
from intarsia.annotations.rle import runs, to_text
from intarsia.errors import DataError

TRIANGLE = Polygon.of([(1.0, 1.0), (9.0, 1.0), (9.0, 9.0)])
POINTS = [[1, 1], [9, 1], [9, 9]]
SQUARE = np.pad(np.ones((6, 6), np.bool_), ((2, 12), (3, 21)))
"""A mask of 20 x 30 pixels."""


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)


def only(place: Path, tool: str) -> tuple[AnnotatedImage, Geometry]:
    """The one image of an export, which is there, and the geometry of its one shape; nothing may be lost."""
    export = open_annotations(place)
    assert export.tool == tool
    (image,) = export.images()
    (shape,) = image.shapes
    assert not export.lost.count("dropped"), export.lost
    assert image.image is not None and image.image.is_file()
    assert (image.width, image.height) in ((30, 20), (None, None))
    return image, shape.geometry


# LabelMe


def labelme(folder: Path, **changes: Any) -> bytes:
    photo(folder / "a.png")
    shape = {"label": "tree", "points": POINTS, "group_id": None, "shape_type": "polygon", "flags": {}}
    file = {"version": "5.4.1", "flags": {}, "imagePath": "a.png", "imageData": None}
    file |= {"imageHeight": 20, "imageWidth": 30}
    file |= {key: value for key, value in changes.items() if key in file}
    shape |= {key: value for key, value in changes.items() if key not in file}
    return json.dumps({**file, "shapes": [shape]}, indent=2, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"imageHeight": "20", "imageWidth": "30"},
        {"imageHeight": 20.0, "imageWidth": 30.0},
        {"imageHeight": 0, "imageWidth": 0},
        {"imagePath": "https://example.org/data/a.png?signature=1"},
        {"imagePath": "C:\\photos\\a.png"},
        {"shape_type": None},
        {"shape_type": "Polygon"},
        {"points": [["1", "1"], ["9", "1"], ["9", "9"]]},
        {"group_id": 1.0},
    ],
)
def test_labelme(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "a.json").write_bytes(labelme(tmp_path, **changes))
    image, geometry = only(tmp_path, "labelme")
    assert geometry == TRIANGLE
    assert image.shapes[0].instance == (1 if "group_id" in changes else None)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8 crlf"])
@pytest.mark.parametrize("name", ["a.json", "A.JSON"])
def test_labelme_in_other_encodings(tmp_path: Path, encoding: str, name: str) -> None:
    text = labelme(tmp_path, label="Straße").decode()
    content = text.replace("\n", "\r\n").encode() if encoding == "utf-8 crlf" else text.encode(encoding)
    (tmp_path / name).write_bytes(content)
    image, geometry = only(tmp_path, "labelme")
    assert geometry == TRIANGLE and image.labels() == {"Straße"}


def test_text_of_old_windows_programs_is_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(labelme(tmp_path, label="Straße").decode().encode("cp1252"))
    export = open_annotations(tmp_path)
    (image,) = export.images()
    assert image.labels() == {"Straße"}
    assert export.lost.count("changed", "Windows-1252") == 1


def test_rectangles_of_x_anylabeling(tmp_path: Path) -> None:
    corners = [[1, 1], [9, 1], [9, 7], [1, 7]]
    (tmp_path / "a.json").write_bytes(labelme(tmp_path, shape_type="rectangle", points=corners, difficult=False))
    assert only(tmp_path, "labelme")[1] == Rectangle(1, 1, 9, 7)
    (tmp_path / "a.json").write_bytes(
        labelme(tmp_path, shape_type="rotation", points=[[5, 1], [9, 5], [5, 9], [1, 5]], direction=0.785)
    )
    turned = only(tmp_path, "labelme")[1]
    assert isinstance(turned, Rectangle) and turned.angle == pytest.approx(45)


@pytest.mark.parametrize("form", ["data:image/png;base64,{}", "{}\n", "{}"])
def test_embedded_images_of_several_forms(tmp_path: Path, form: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(stream, "PNG")
    coded = base64.encodebytes(stream.getvalue()).decode()
    content = labelme(tmp_path, imagePath="gone.png", imageData=form.format(coded))
    (tmp_path / "b.json").write_bytes(content)
    (image,) = open_annotations(tmp_path / "b.json").images()
    assert image.image is None and image.embedded == stream.getvalue()


def test_jobs_of_cvat_are_no_labelme_files(tmp_path: Path) -> None:
    shape = {"type": "polygon", "points": [1, 1, 9, 1, 9, 9], "label_id": 3}
    (tmp_path / "annotations.json").write_text(json.dumps({"CVAT for images 1.1": {"shapes": [shape]}}))
    with pytest.raises(DataError, match="not an annotation file of any known tool"):
        open_annotations(tmp_path)
    (tmp_path / "annotations.json").write_text(json.dumps([{"shapes": [shape | {"label": "tree"}]}]))
    with pytest.raises(DataError, match="not an annotation file of any known tool"):
        open_annotations(tmp_path)


# Photos beside a folder of annotations


@pytest.mark.parametrize(
    ("tool", "name", "content"),
    [
        ("labelme", "json/a.json", None),
        ("coco", "annotations/instances_default.json", None),
        ("cvat", "annotations/default.xml", '<annotations><image id="0" name="a.png">{}</image></annotations>'),
        ("page", "page/a.xml", '<PcGts><Page imageFilename="a.png">{}</Page></PcGts>'),
    ],
)
def test_photos_lie_beside_the_annotations_folder(tmp_path: Path, tool: str, name: str, content: str | None) -> None:
    drawn = {
        "cvat": '<polygon label="tree" points="1,1;9,1;9,9"/>',
        "page": '<TextRegion id="r"><Coords points="1,1 9,1 9,9"/></TextRegion>',
    }
    file = tmp_path / name
    file.parent.mkdir()
    if content is not None:
        file.write_text(content.format(drawn[tool]))
    elif tool == "labelme":
        file.write_bytes(labelme(tmp_path / "images"))
    else:
        file.write_text(json.dumps(coco(tmp_path / "images/default")))
    photo(tmp_path / "images/default/a.png" if tool != "labelme" else tmp_path / "images/a.png")
    for place in (file, file.parent, tmp_path):
        assert only(place, tool)[1] == TRIANGLE


# COCO


def coco(folder: Path, **changes: Any) -> dict[str, Any]:
    photo(folder / "a.png")
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8], "area": 32, "iscrowd": 0}
    annotation["segmentation"] = [[1, 1, 9, 1, 9, 9]]
    image = {"id": 1, "file_name": "a.png", "width": 30, "height": 20}
    category = {"id": 1, "name": "tree"}
    for key, value in changes.items():
        holder, _, name = key.partition("_")
        {"annotation": annotation, "image": image, "category": category}[holder][name] = value
    return {"images": [image], "categories": [category], "annotations": [annotation]}


@pytest.mark.parametrize(
    "changes",
    [
        {"annotation_image_id": "1", "annotation_category_id": "1"},
        {"annotation_image_id": 1.0, "annotation_category_id": 1.0},
        {"image_id": 1.0, "category_id": "1"},
        {"image_id": "a", "annotation_image_id": "a", "category_id": 90, "annotation_category_id": 90.0},
        {"image_width": "30", "image_height": 20.0},
        {"image_width": 0, "image_height": None},
        {"image_file_name": "images\\a.png"},
        {"image_file_name": "/home/me/photos/a.png"},
        {"image_file_name": "https://example.org/set/a.png?signature=/x"},
        {"image_file_name": "/data/local-files/?d=photos/a.png"},
        {"image_file_name": None, "image_coco_url": "http://images.cocodataset.org/val2017/a.png"},
        {"annotation_segmentation": [POINTS]},
        {"annotation_segmentation": [["1", "1", "9", "1", "9", "9"]]},
    ],
)
def test_coco(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path, **changes)))
    assert only(tmp_path, "coco")[1] == TRIANGLE


@pytest.mark.parametrize("empty", [None, [], [[]]])
def test_boxes_of_coco(tmp_path: Path, empty: object) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path, annotation_segmentation=empty)))
    ((shape,),) = (image.shapes for image in open_annotations(tmp_path).images())
    assert shape.geometry == Rectangle(1, 1, 9, 9)


COUNTS = runs(SQUARE).tolist()


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [20, 30], "counts": COUNTS},
        {"size": [20, 30], "counts": to_text(COUNTS)},
        {"size": [20, 30], "counts": str(to_text(COUNTS).encode())},
        {"size": ["20", 30.0], "counts": [float(count) for count in COUNTS]},
        [{"size": [20, 30], "counts": to_text(COUNTS)}],
    ],
)
def test_run_lengths_of_coco(tmp_path: Path, segmentation: object) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path, annotation_segmentation=segmentation)))
    assert only(tmp_path, "coco")[1] == Mask(SQUARE).cropped()


def test_backslashes_in_run_lengths_that_python_shows(tmp_path: Path) -> None:
    """A run of 44 begins with a backslash, which Python's form of bytes writes twice."""
    bitmap = np.zeros(600, np.bool_)
    bitmap[44:90] = True
    bitmap = bitmap.reshape((20, 30), order="F")
    text = to_text(runs(bitmap))
    assert "\\" in text
    segmentation = {"size": [20, 30], "counts": str(text.encode())}
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path, annotation_segmentation=segmentation)))
    assert only(tmp_path, "coco")[1] == Mask(bitmap).cropped()


def test_several_run_lengths_are_one_area(tmp_path: Path) -> None:
    other = np.roll(SQUARE, 10, axis=1)
    both = [{"size": [20, 30], "counts": to_text(runs(mask))} for mask in (SQUARE, other)]
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path, annotation_segmentation=both)))
    assert only(tmp_path, "coco")[1] == Mask(SQUARE | other).cropped()


# CVAT


def test_images_in_a_video_export_keep_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.png"):
        photo(tmp_path / "images" / name)
    boxes = "".join(
        f'<box frame="{frame}" outside="0" occluded="0" keyframe="1" xtl="{frame}" ytl="1" xbr="9" ybr="9"/>'
        for frame in (2, 5, 8)
    )
    task = "<start_frame>2</start_frame><stop_frame>8</stop_frame><frame_filter>step=3</frame_filter>"
    (tmp_path / "annotations.xml").write_text(
        f'<annotations><meta><task>{task}</task></meta><track id="0" label="tree">{boxes}</track></annotations>'
    )
    found = {image.frame: image for image in open_annotations(tmp_path).images()}
    assert {frame: image.image and image.image.name for frame, image in found.items()} == {
        2: "a.png",
        5: "b.png",
        8: "c.png",
    }
    photo(tmp_path / "images" / "d.png")  # no longer as many as frames: nobody knows which is which
    assert all(image.image is None for image in open_annotations(tmp_path).images())


# VIA

SHAPE = '"{""name"":""polygon"",""all_points_x"":[1,9,9],""all_points_y"":[1,1,9]}"'
COLUMNS = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", [str, lambda text: text.replace(",", ", "), lambda text: f"#{text}"])
def test_csv_of_via_saved_by_spreadsheets(tmp_path: Path, mark: str, header: Callable[[str], str]) -> None:
    photo(tmp_path / "a.png")
    row = mark.join(("a.png", "123", '"{}"', "1", "0", SHAPE, '"{""class"":""tree""}"'))
    text = header(COLUMNS).replace(",", mark) + "\r\n" + row + "\r\n\r\n"
    (tmp_path / "VIA.CSV").write_bytes(text.encode("utf-8-sig"))
    assert only(tmp_path, "via")[1] == TRIANGLE


# RectLabel and VOC


def voc(folder: Path, more: str, shape: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    size = "<size><width>30.0</width><height>20</height></size>"
    (folder / "a.xml").write_text(
        f"<annotation><filename>a.png</filename>{more}{size}<object><name>traffic-light</name>{shape}{box}</object>"
        "</annotation>"
    )


@pytest.mark.parametrize("more", ["<source><database>Unknown</database></source>", "<database/>", "tree"])
def test_boxes_of_voc_are_called_so(tmp_path: Path, more: str) -> None:
    photo(tmp_path / "JPEGImages/a.png")
    voc(tmp_path / ("Annotations" if more == "tree" else "annotations"), "" if more == "tree" else more)
    image, geometry = only(tmp_path, "voc")
    assert geometry == Rectangle(1, 2, 9, 8)
    assert image.labels() == {"traffic-light"}


def test_an_empty_shape_of_rectlabel_leaves_the_box(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    voc(tmp_path, "", "<polygon/>")
    image, geometry = only(tmp_path, "rectlabel")
    assert geometry == Rectangle(1, 2, 9, 8) and image.labels() == {"traffic"}


def test_labelme_of_mit_is_not_taken_for_rectlabel(tmp_path: Path) -> None:
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in POINTS)
    (tmp_path / "a.xml").write_text(
        f"<annotation><filename>a.png</filename><object><polygon>{corners}</polygon></object></annotation>"
    )
    with pytest.raises(DataError, match="not an annotation file of any known tool"):
        open_annotations(tmp_path)


# Labelbox


def test_labels_of_labelbox_as_text(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    label = {"objects": [{"title": "tree", "polygon": [{"x": x, "y": y} for x, y in POINTS]}]}
    row = {"ID": "l1", "DataRow ID": "d1", "Labeled Data": "https://example.org/a.png", "External ID": "a.png"}
    (tmp_path / "export.json").write_text(json.dumps([row | {"Label": json.dumps(label)}]))
    assert only(tmp_path, "labelbox")[1] == TRIANGLE
    (tmp_path / "export.json").write_text(json.dumps([row | {"Label": "{"}]))
    with pytest.raises(DataError, match="a label is broken JSON"):
        list(open_annotations(tmp_path))


def test_the_only_mask_of_a_photo_may_have_its_name(tmp_path: Path) -> None:
    photo(tmp_path / "photos/a.jpg")
    (tmp_path / "masks").mkdir()
    Image.fromarray(SQUARE.astype(np.uint8) * 255).save(tmp_path / "masks/a.png")
    entry = {"feature_id": "f1", "name": "tree", "annotation_kind": "ImageSegmentationMask", "mask": {"url": "x"}}
    labels = [{"id": "l1", "annotations": {"objects": [entry]}}]
    row = {
        "data_row": {"id": "d1", "external_id": "a.jpg"},
        "media_attributes": {"width": 30, "height": 20},
        "projects": {"p": {"labels": labels}},
    }
    (tmp_path / "export.ndjson").write_text(json.dumps(row))
    export = open_annotations(tmp_path / "export.ndjson", images=tmp_path / "photos", masks=tmp_path / "masks")
    ((shape,),) = (image.shapes for image in export.images())
    assert shape.geometry == Mask(SQUARE).cropped()
    labels[0]["annotations"] = {"objects": [entry, entry | {"feature_id": "f2"}]}  # whose would it be?
    (tmp_path / "export.ndjson").write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"its mask f1\.png is not in .*masks=FOLDER"):
        list(open_annotations(tmp_path / "export.ndjson", masks=tmp_path / "masks"))


# Several tools in one folder


def test_files_of_another_tool_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(labelme(tmp_path))
    (tmp_path / "labels.json").write_text(json.dumps(coco(tmp_path)))
    export = open_annotations(tmp_path)
    assert export.tool == "coco" and len(list(export)) == 1
    assert [line for line in export.lost.lines() if "labelme" in line and "--from" in line]
    for place, options in ((tmp_path, {"tool": "labelme"}), (tmp_path / "labels.json", {})):
        chosen = open_annotations(place, **options)  # type: ignore[arg-type]
        assert len(list(chosen)) == 1 and not chosen.lost
