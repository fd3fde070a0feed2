"""COCO files: instances and panoptic, dirty ones, and back again; in agreement with pycocotools."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import KEYPOINTS, assert_same, bare, images, names, sets, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as reference

from intarsia.annotations import (
    AnnotatedImage,
    Category,
    DrawingRules,
    Shape,
    open_annotations,
    rasterize,
    write_annotations,
)
from intarsia.annotations.formats.coco import panoptic
from intarsia.annotations.formats.coco.reading import read, sniff
from intarsia.annotations.formats.coco.writing import write
from intarsia.annotations.geometry import (
    Bezier,
    Circle,
    Cuboid,
    Ellipse,
    Keypoint,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.raster import geometry_mask
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import read_mask

OWN = (Polygon, Rectangle, Mask, Skeleton)
FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


def save(path: Path, annotations: object, **more: object) -> Path:
    value = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
        "annotations": annotations,
        "categories": [{"id": 0, "name": "car"}, {"id": 7, "name": "person", "keypoints": ["nose", "ear"]}],
    } | more
    path.write_text(json.dumps(value))
    return path


def one(path: Path) -> AnnotatedImage:
    (document,) = read(path)
    assert isinstance(document, AnnotatedImage)
    return document


def entry(**more: object) -> dict:
    return {"id": 1, "image_id": 1, "category_id": 0} | more


def test_every_kind_of_segmentation(tmp_path: Path) -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:4, 5:9] = True
    encoded = reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    path = save(
        tmp_path / "x.json",
        [
            entry(segmentation=[[0, 0, 4, 0, 4, 4], [6, 6, 9, 6, 9, 9, 6, 6]]),
            entry(segmentation={"size": [10, 20], "counts": encoded}, iscrowd=1),
            entry(segmentation={"size": [10, 20], "counts": [52, 2, 8, 2, 8, 2, 8, 2, 116]}),
            entry(segmentation=[], bbox=[1, 2, 3, 4]),
            entry(segmentation=[0, 0, 4, 0, 4, 4]),
            entry(category_id=7, keypoints=[1, 2, 2, 3, 4, 0], num_keypoints=1, bbox=[0, 0, 5, 5], score=0.5),
        ],
    )
    export = read(path)
    (document,) = export
    found = [shape.geometry for shape in document.shapes]  # type: ignore[union-attr]
    assert found[0] == Polygon.of([(0, 0), (4, 0), (4, 4)], [(6, 6), (9, 6), (9, 9)])
    assert found[1] == found[2] == Mask(np.ones((2, 4), np.bool_), 5, 2)
    assert found[3] == Rectangle(1, 2, 4, 6)
    assert found[4] == Polygon.of([(0, 0), (4, 0), (4, 4)])
    assert found[5:] == [Rectangle(0, 0, 5, 5), Skeleton((Keypoint("nose", 1, 2), Keypoint("ear", 3, 4, "absent")))]
    shapes = document.shapes  # type: ignore[union-attr]
    assert [shape.crowd for shape in shapes] == [False, True, False, False, False, False, False]
    assert shapes[5].instance == shapes[6].instance == 1 and shapes[5].score == 0.5
    assert export.lost.count("changed", "one flat list") == 1 and len(export.lost.entries) == 1


def test_several_rings_are_united_not_even_odd(tmp_path: Path) -> None:
    ring, inner = [0, 0, 8, 0, 8, 8, 0, 8], [2, 2, 6, 2, 6, 6, 2, 6]
    shape = one(save(tmp_path / "x.json", [entry(segmentation=[ring, inner])])).shapes[0]
    assert geometry_mask(shape.geometry, (10, 20), DrawingRules("coco")).sum() == 64


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (entry(category_id=99, bbox=[0, 0, 1, 1]), "a category that the file does not name"),
        (entry(image_id=5), "whose image is not in the file"),
        ("text", "whose image is not in the file"),
        (entry(), "without outline, box or keypoints"),
        (entry(segmentation=[[0, 0, 1, 1]]), "fewer than 3 points"),
        (entry(segmentation=[[0, 0, 1, 1, 2]]), "odd number"),
        (entry(segmentation=[[0, 0, float("nan"), 1, 2, 2]]), "not finite"),
        (entry(segmentation=[[0, 0, 1e20, 1, 2, 2]]), "far outside"),
        (entry(segmentation=[["a", 0, 1, 1, 2, 2]]), "not a number"),
        (entry(segmentation=[None]), "not a list of numbers"),
        (entry(segmentation=[[0, 0, 1, 1]], bbox=[0, 0, 5, 5]), "fewer than 3 points"),
        (entry(segmentation="0,0,4,0,4,4", bbox=[0, 0, 5, 5]), "neither rings nor run lengths"),
        (entry(segmentation={"size": [5, 5], "counts": [25]}), "another size"),
        (entry(segmentation={"size": [10, 20], "counts": [5]}), "add up to 5"),
        (entry(segmentation={"size": [10, 20], "counts": "o"}), "end within a number"),
        (entry(segmentation={"size": [10, 20], "counts": None}), "neither a text nor"),
        (entry(segmentation={"size": "x", "counts": []}), "without a size"),
        (entry(bbox=[0, 0, -1, 5]), "negative width"),
    ],
)
def test_dirty_annotations_are_counted(tmp_path: Path, annotation: object, reason: str) -> None:
    export = read(save(tmp_path / "x.json", [annotation, entry(bbox=[0, 0, 5, 5])]))
    (document,) = export
    assert len(document.shapes) == 1  # type: ignore[union-attr]
    assert export.lost.count("dropped", reason) == 1, str(export.lost)


def test_ids_may_be_texts_and_sizes_missing(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", [entry(image_id=3, bbox=[0, 0, 1, 1])], images=[{"id": "3", "file_name": "b.png"}])
    document = one(path)
    assert (document.width, document.height, len(document.shapes)) == (None, None, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "broken JSON at line 1"),
        ("[]", "not a COCO file"),
        ('{"images": [], "annotations": {}}', "not a COCO file"),
        ('{"images": [{"id": 1, "width": -5}], "annotations": []}', "width is -5"),
    ],
)
def test_files_that_are_not_coco(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        list(read(path))


def test_coco_beside_captions(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    for name in ("instances_train2017", "instances_val2017", "captions_val2017"):
        save(folder / f"{name}.json", [entry(bbox=[0, 0, 5, 5])])
    (tmp_path / "train2017").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "train2017" / "a.jpg")
    export = open_annotations(tmp_path)
    found = list(export.images())
    assert [document.subset for document in found] == ["train", "val"]
    assert found[0].image == tmp_path / "train2017" / "a.jpg"
    assert export.lost.lines() == [
        "dropped 1: another file about the same images, which can be opened by itself (captions_val2017.json)"
    ]


ATTRIBUTES = st.dictionaries(names.filter(lambda n: n != "occluded"), st.booleans() | st.integers() | texts, max_size=2)
FIELDS = {
    "occluded": st.booleans(),
    "crowd": st.booleans(),
    "score": st.none() | st.sampled_from((0.0, 0.25, 1.0)),
}


@settings(max_examples=60, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(sets(images(OWN, angles=False, attributes=ATTRIBUTES, shape_fields=FIELDS)))
def test_documents_come_back(tmp_path: Path, documents: list[AnnotatedImage]) -> None:
    lost = write(documents, tmp_path / "x.json")
    assert not lost
    assert_same([bare(document) for document in read(tmp_path / "x.json")], documents)


@settings(max_examples=40, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(images((Circle, Ellipse, Bezier, Polyline, Points, Cuboid, Tag), shape_fields={"z": st.integers(0, 2)}))
def test_what_coco_lacks_is_counted(tmp_path: Path, document: AnnotatedImage) -> None:
    lost = write([document], tmp_path / "x.json")
    kinds = [type(shape.geometry) for shape in document.shapes]
    curves = sum(kind in (Circle, Ellipse, Bezier) for kind in kinds)
    boxes = lost.count("changed", "became its bounding box")
    assert lost.count("changed", "became a polygon") == curves
    assert lost.count("dropped", "has no counterpart") == len(kinds) - curves - boxes
    assert lost.count("dropped", "the z of a shape") == sum(shape.z > 0 for shape in document.shapes)
    assert len(one(tmp_path / "x.json").shapes) == curves + boxes


def test_an_instance_of_several_shapes_is_one_annotation(tmp_path: Path) -> None:
    first, second = (Polygon.of([(d, 0), (d + 3, 0), (d + 3, 3)]) for d in (0.0, 5.0))
    skeleton = Skeleton(tuple(Keypoint(name, 1, 1) for name in KEYPOINTS))
    shapes = (Shape("a", first, 4), Shape("b", first), Shape("a", second, 4), Shape("a", skeleton, 4))
    lost = write([AnnotatedImage("a.jpg", width=10, height=10, shapes=shapes)], tmp_path / "x.json")
    value = json.loads((tmp_path / "x.json").read_text())
    assert [len(annotation["segmentation"]) for annotation in value["annotations"]] == [2, 1]
    assert value["annotations"][0]["num_keypoints"] == 3
    assert value["categories"][0]["keypoints"] == list(KEYPOINTS)
    assert lost.count("changed", "one annotation") == 1
    found = one(tmp_path / "x.json").shapes
    assert found[0].geometry == Polygon(first.parts + second.parts) and found[1].geometry == skeleton
    assert found[0].instance == found[1].instance


def test_masks_need_the_images_size(tmp_path: Path) -> None:
    mask = Shape("a", Mask(np.ones((3, 3), np.bool_), 8, 8))
    lost = write([AnnotatedImage("a.jpg", shapes=(mask,))], tmp_path / "x.json")
    assert lost.count("dropped", "size is not known") == 1
    lost = write([AnnotatedImage("a.jpg", width=10, height=10, shapes=(mask,))], tmp_path / "x.json")
    assert lost.lines() == ["changed 1: a mask was cut at the image's border (a.jpg)"]
    assert one(tmp_path / "x.json").shapes[0].geometry == Mask(np.ones((2, 2), np.bool_), 8, 8)


def test_categories_and_image_ids_are_kept(tmp_path: Path) -> None:
    images_ = [{"id": 42, "file_name": "a.jpg", "license": 3}]
    source = save(tmp_path / "x.json", [entry(image_id=42, bbox=[0, 0, 5, 5])], images=images_)
    assert not write_annotations(read(source), tmp_path / "y.json", tool="coco")
    value = json.loads((tmp_path / "y.json").read_text())
    assert value["images"] == [{"license": 3, "id": 42, "file_name": "a.jpg"}]
    assert [(category["id"], category["name"]) for category in value["categories"]] == [(0, "car"), (7, "person")]
    with pytest.raises(DataError, match="no annotations to write"):
        write([], tmp_path / "z.json")
    assert not (tmp_path / "z.json").exists()


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=7), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=100, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"image_id": st.just(1) | json_values, "category_id": st.sampled_from((0, 7)) | json_values},
            optional={
                "segmentation": st.lists(st.lists(st.floats() | st.integers(-9, 99), max_size=8), max_size=3)
                | st.fixed_dictionaries({"size": st.just([10, 20]) | json_values, "counts": json_values})
                | json_values,
                "bbox": st.lists(st.floats() | st.integers(), min_size=4, max_size=4) | json_values,
                "keypoints": st.lists(st.integers(0, 9), min_size=6, max_size=6) | json_values,
                "iscrowd": json_values,
                "attributes": json_values,
                "score": json_values,
                "other": json_values,
            },
        )
        | json_values,
        max_size=4,
    ),
    st.lists(
        st.fixed_dictionaries({}, optional={key: json_values for key in ("id", "file_name", "width")}), max_size=2
    ),
    st.lists(st.fixed_dictionaries({}, optional={key: json_values for key in ("id", "name", "color")}), max_size=2),
)
def test_every_input_is_read_or_refused(tmp_path: Path, annotations: list, more: list, categories: list) -> None:
    images_ = [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}, *more]
    known = [{"id": 0, "name": "car"}, {"id": 7, "name": "person", "keypoints": ["nose", "ear"]}, *categories]
    path = save(tmp_path / "x.json", annotations, images=images_, categories=known)
    assert sniff(path)
    try:
        export = read(path)
        documents = list(export)
    except DataError as error:
        assert "x.json" in str(error)
        return
    write(documents, tmp_path / "y.json", categories=export.categories)
    assert len(list(read(tmp_path / "y.json"))) == len(documents)


def test_panoptic_files_come_back(tmp_path: Path) -> None:
    shapes = (
        Shape("sky", Rectangle(0, 0, 10, 4)),
        Shape("car", Rectangle(2, 2, 5, 8)),
        Shape("car", Rectangle(5, 2, 8, 8), crowd=True),
    )
    document = AnnotatedImage("sub/a.jpg", width=10, height=8, shapes=shapes)
    lost = panoptic.write([document], tmp_path / "p.json", categories=(Category("car"), Category("sky")))
    assert lost.lines() == ["changed 3: a shape became pixels (sub/a.jpg)"]
    pixels = read_mask(tmp_path / "p" / "sub" / "a.png")
    assert pixels.shape == (8, 10, 3) and pixels[7, 0].tolist() == [0, 0, 0]
    export = open_annotations(tmp_path / "p.json")
    assert export.tool == "coco-panoptic"
    (found,) = export.images()
    space = LabelSpace(("background", "car", "sky"))
    drawing = DrawingRules("coco", "area")
    assert np.array_equal(rasterize(found, (8, 10), space, drawing), rasterize(document, (8, 10), space, drawing))
    assert [(shape.label, shape.crowd) for shape in found.shapes] == [("sky", False), ("car", False), ("car", True)]
    (tmp_path / "p" / "sub" / "a.png").unlink()
    with pytest.raises(DataError, match=r"panoptic PNG sub/a\.png is missing"):
        list(open_annotations(tmp_path / "p.json"))


def test_panoptic_segments_that_do_not_fit(tmp_path: Path) -> None:
    panoptic.write(
        [AnnotatedImage("a.jpg", width=4, height=4, shapes=(Shape("x", Rectangle(0, 0, 2, 2)),))], tmp_path / "p.json"
    )
    value = json.loads((tmp_path / "p.json").read_text())
    value["annotations"][0]["segments_info"] = [{"id": 9, "category_id": 1}, "text"]
    (tmp_path / "p.json").write_text(json.dumps(value))
    export = panoptic.read(tmp_path / "p.json")
    assert not next(iter(export)).shapes  # type: ignore[union-attr]
    assert export.lost.count("dropped", "without pixels or category") == 2
    assert export.lost.count("dropped", "that the JSON does not list") == 1


def test_real_files_agree_with_pycocotools(real_data: Path) -> None:
    for name, most in (("instances.json", 221), ("rle.json", 231)):
        path = real_data / "annotations/coco/labelbox_sdk_coco_val20" / name
        value = json.loads(path.read_text())
        theirs = {}
        for image in value["images"]:
            rows = [a for a in value["annotations"] if a["image_id"] == image["id"]]
            theirs[image["file_name"]] = [
                reference.decode(
                    reference.merge(reference.frPyObjects(a["segmentation"], image["height"], image["width"]))
                    if isinstance(a["segmentation"], list)
                    else reference.frPyObjects(a["segmentation"], image["height"], image["width"])
                ).astype(bool)
                for a in rows
            ]
        export = read(path)
        count = 0
        for document in export.images():
            expected = theirs[document.name]
            assert document.image is not None and len(document.shapes) == len(expected)
            for shape, mask in zip(document.shapes, expected, strict=True):
                assert np.array_equal(geometry_mask(shape.geometry, mask.shape, DrawingRules("coco")), mask)
                count += 1
        assert 0 < count <= most and not export.lost


def test_real_files_come_back(real_data: Path, tmp_path: Path) -> None:
    for name in ("labelbox_sdk_coco_val20/rle.json", "labelformat_instance_seg/COCO"):
        export = read(real_data / "annotations/coco" / name)
        documents = list(export.images())
        write(documents, tmp_path / "x.json", categories=export.categories)
        again = [bare(document) for document in read(tmp_path / "x.json")]
        assert_same(again, [replace(bare(document), subset="") for document in documents])


def test_real_panoptic_files(real_data: Path) -> None:
    export = open_annotations(real_data / "annotations/coco/labelbox_sdk_coco_val20", tool="coco-panoptic")
    documents = list(export.images())
    assert len(documents) == 20 and sum(len(document.shapes) for document in documents) == 369
    first = documents[0]
    value = json.loads((real_data / "annotations/coco/labelbox_sdk_coco_val20/panoptic.json").read_text())
    entry_ = next(a for a in value["annotations"] if a["image_id"] == value["images"][0]["id"])
    areas = sorted(segment["area"] for segment in entry_["segments_info"])
    assert sorted(int(shape.geometry.bitmap.sum()) for shape in first.shapes) == areas  # type: ignore[union-attr]


def test_the_dirty_coco_of_an_early_via(real_data: Path) -> None:
    export = open_annotations(real_data / "annotations/via/receipts_csv_json_coco/via_export_coco.json")
    documents = list(export.images())
    assert export.tool == "coco" and sum(len(document.shapes) for document in documents) == 18
    assert export.lost.count("changed", "one flat list") == 18


def test_a_file_without_categories(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", [entry(category_id=3, bbox=[0, 0, 2, 2])], categories=[])
    assert one(path).labels() == {"category_3"}


def test_two_categories_of_one_id_are_told(tmp_path: Path) -> None:
    box = {"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5]]}
    named = [{"id": 5, "name": "car"}, {"id": 5, "name": "bus"}, {"id": 6, "name": "dog"}, {"id": 6.0, "name": "dog"}]
    export = read(save(tmp_path / "a.json", [box], categories=named))
    (document,) = export.images()
    assert [shape.label for shape in document.shapes] == ["bus"]
    (entry,) = export.lost.entries.values()
    assert entry.examples == ["a.json: car, as bus"] and export.lost.count("dropped", "a category whose id") == 1
