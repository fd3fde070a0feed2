"""Folders of mask pictures: written, read, and read from other tools."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import images, sets
from hypothesis import HealthCheck, given, settings
from PIL import Image

from intarsia.annotations import (
    AnnotatedImage,
    Category,
    DrawingRules,
    Shape,
    open_annotations,
    rasterize,
    write_annotations,
)
from intarsia.annotations.formats.masks import read, sniff, space_of, write
from intarsia.annotations.geometry import Circle, Ellipse, Mask, Polygon, Rectangle, Tag
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import read_mask

SPACE = LabelSpace(("background", "car", "person"), ((0, 0, 0), (0, 0, 128), (255, 0, 0)))


def scene(**more: object) -> AnnotatedImage:
    shapes = (
        Shape("car", Rectangle(0, 0, 6, 4), instance=1),
        Shape("person", Rectangle(4, 2, 9, 6)),
        Shape("car", Rectangle(8, 6, 10, 8), instance=1),
        Shape("void", Rectangle(0, 6, 2, 8)),
    )
    return AnnotatedImage("sub/a.jpg", width=10, height=8, shapes=shapes, **more)  # type: ignore[arg-type]


def test_masks_hold_indices_a_palette_and_instances(tmp_path: Path) -> None:
    lost = write([scene()], tmp_path, space=SPACE, drawing=DrawingRules("coco"), instances=True)
    with Image.open(tmp_path / "masks/sub/a.png") as image:
        assert image.mode == "P" and image.getpalette()[:9] == [0, 0, 0, 0, 0, 128, 255, 0, 0]
    labels, things = (read_mask(tmp_path / place / "sub/a.png") for place in ("masks", "instances"))
    assert labels[:, 0].tolist() == [1, 1, 1, 1, 0, 0, 255, 255]
    assert labels[3].tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2, 0]
    assert things.dtype == np.uint16 and things[0, 0] == things[7, 9] == 1 and things[3, 8] == 2 and not things[7, 0]
    assert (tmp_path / "labelmap.txt").read_text().splitlines()[1:] == [
        "background:0,0,0::",
        "car:0,0,128::",
        "person:255,0,0::",
    ]
    assert sorted(lost.lines()) == [
        "changed 4: a box was filled, as if the thing filled it (sub/a.jpg)",
        "changed 4: a shape became pixels (sub/a.jpg)",
    ]

    export = open_annotations(tmp_path)
    assert export.tool == "masks" and sniff(tmp_path)
    (found,) = export.images()
    assert [(shape.label, shape.instance) for shape in found.shapes] == [
        ("__ignore__", None),
        ("car", 1),
        ("person", 2),
    ]
    assert np.array_equal(rasterize(found, (8, 10), SPACE), labels)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sets(images((Polygon, Rectangle, Circle, Ellipse, Mask))))
def test_drawn_documents_come_back(tmp_path: Path, documents: list[AnnotatedImage]) -> None:
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    write(documents, tmp_path / "out")
    space = space_of(documents)
    found = {Path(document.name).with_suffix(""): document for document in read(tmp_path / "out")}
    for document in documents:
        size = (document.height or 0, document.width or 0)
        again = found[Path(document.name).with_suffix("")]
        assert isinstance(again, AnnotatedImage)
        assert np.array_equal(rasterize(again, size, space), rasterize(document, size, space))


def test_colours_as_cvat_and_voc_write_them(tmp_path: Path) -> None:
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::", "car:0,0,128:wheel:", "road:10,20,30::"]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    for name in ("SegmentationClass", "JPEGImages", "SegmentationObject"):
        (tmp_path / name).mkdir()
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:2], colours[2, :3] = (10, 20, 30), (0, 0, 128)
    Image.fromarray(colours).save(tmp_path / "SegmentationClass/a.png")
    Image.fromarray(colours).save(tmp_path / "JPEGImages/a.jpg")
    things = np.zeros((4, 6, 3), np.uint8)
    things[:2, :2], things[:2, 2:] = (128, 0, 0), (0, 128, 0)
    Image.fromarray(things).save(tmp_path / "SegmentationObject/a.png")
    (document,) = read(tmp_path)
    assert isinstance(document, AnnotatedImage)
    assert document.image == tmp_path / "JPEGImages/a.jpg" and document.name == "JPEGImages/a.jpg"
    areas = {(shape.label, shape.instance): int(shape.geometry.bitmap.sum()) for shape in document.shapes}  # type: ignore[union-attr]
    assert areas == {("car", None): 3, ("road", 128): 4, ("road", 128 * 256): 8}


def test_a_palette_decides_over_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_text("road:10,20,30::\nbackground:0,0,0::\n")
    (tmp_path / "masks").mkdir()
    picture = Image.fromarray(np.array([[0, 1, 255]], np.uint8), "L").convert("P")
    picture.putpalette([0, 0, 0, 10, 20, 30] + [9] * 750 + [255, 255, 255])
    picture.putdata([0, 1, 255])
    picture.save(tmp_path / "masks/a.png")
    (document,) = read(tmp_path)
    shapes = document.shapes  # type: ignore[union-attr]
    assert {shape.label: shape.geometry.left for shape in shapes} == {"road": 1, "__ignore__": 2}  # type: ignore[union-attr]


def test_jpeg_masks_are_refused_unless_tolerated(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\ncar:255,255,255::\n")
    (tmp_path / "masks").mkdir()
    colours = np.zeros((32, 32, 3), np.uint8)
    colours[8:20, 8:21] = 255
    Image.fromarray(colours).save(tmp_path / "masks/a.jpg", quality=70)
    with pytest.raises(DataError, match=r"a\.jpg: a JPEG mask"):
        list(read(tmp_path))
    export = read(tmp_path, tolerant=True)
    (document,) = export
    assert np.array_equal(rasterize(document, (32, 32), LabelSpace(("background", "car"))), colours[..., 0] // 255)  # type: ignore[arg-type]
    assert export.lost.count("changed", "nearest colour") > 0


@pytest.mark.parametrize(
    ("files", "pixels", "message"),
    [
        ({}, [[0]], "no file names the classes"),
        ({"classes.txt": "a\nb"}, [[0, 7]], "the value 7 belongs to no class; 2 are named"),
        ({"classes.txt": "a\nb"}, [[[1, 2, 3]]], "no class has a colour"),
        (
            {"labelmap.txt": "a:0,0,0::"},
            [[[1, 2, 3], [0, 0, 0]]],
            r"1 pixels have colours of no class, such as \(1, 2, 3\)",
        ),
        ({"labelmap.txt": "a:0,0::"}, [[0]], "has no colour"),
        ({"classes.json": "{"}, [[0]], "broken JSON"),
        ({"classes.json": "[1]"}, [[0]], "not a list of classes"),
    ],
)
def test_masks_that_cannot_be_understood(tmp_path: Path, files: dict, pixels: list, message: str) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.array(pixels, np.uint8)).save(tmp_path / "masks/a.png")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        list(read(tmp_path))


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its size is not known"):
        write([AnnotatedImage("a.jpg", shapes=(Shape("a", Tag()),))], tmp_path)
    with pytest.raises(DataError, match="two images would share the mask"):
        write([AnnotatedImage(name, width=2, height=2) for name in ("a.jpg", "a.png")], tmp_path, space=SPACE)
    with pytest.raises(DataError, match="no class of this data set is named 'car'"):
        write([scene()], tmp_path, space=LabelSpace(("background", "x")))
    with pytest.raises(DataError, match="no annotations to write"):
        write([], tmp_path, space=SPACE)


def test_colours_of_an_export_are_kept(tmp_path: Path) -> None:
    categories = (Category("car", (1, 2, 3)), Category("person"))
    write_annotations([scene()], tmp_path, tool="masks", categories=categories)
    space = LabelSpace(tuple(category.name for category in read(tmp_path).categories))
    assert space.names == ("background", "car", "person")
    colors = [category.color for category in read(tmp_path).categories]
    assert colors[:2] == [(0, 0, 0), (1, 2, 3)] and len(set(colors)) == 3
