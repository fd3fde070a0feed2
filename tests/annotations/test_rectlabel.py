"""RectLabel: the real files, its counting from 1, curves, masks, round trips, bad files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import assert_same, bare, images, names, sets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations.document import AnnotatedImage, Shape
from intarsia.annotations.formats import coco, rectlabel
from intarsia.annotations.geometry import (
    Bezier,
    Circle,
    Keypoint,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.outlines import flattened, ring_area
from intarsia.annotations.tools import recognise
from intarsia.errors import DataError


@pytest.fixture
def real(real_data: Path) -> Path:
    folder = real_data / "annotations" / "rectlabel"
    if not folder.is_dir():
        pytest.skip(f"no RectLabel samples at {folder}")
    return folder


def xml(tmp_path: Path, objects: str, more: str = "", name: str = "a.jpg") -> Path:
    path = tmp_path / "a.xml"
    path.write_text(
        f"<annotation><filename>{name}</filename>{more}<size><width>1440</width><height>960</height><depth>3</depth></size>"
        f"{objects}</annotation>",
        encoding="utf-8",
    )
    return path


def box(name: str = "car") -> str:
    return (
        f"<object><name>{name}</name><bndbox><xmin>1241</xmin><ymin>1</ymin><xmax>1440</xmax><ymax>960</ymax></bndbox>"
        "</object>"
    )


def test_boxes_equal_the_coco_export(tmp_path: Path) -> None:
    """RectLabel writes pixels 1241 to 1440 into its XML, and the box [1240, 0, 200, 960] into its COCO file."""
    (image,) = rectlabel.read(xml(tmp_path, box())).images()
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "annotations.json").write_text(
        '{"images":[{"id":1,"file_name":"a.jpg","width":1440,"height":960}],"categories":[{"id":1,"name":"car"}],'
        '"annotations":[{"area":192000,"iscrowd":0,"id":1,"image_id":1,"category_id":1,"segmentation":[],'
        '"bbox":[1240,0,200,960]}]}'
    )
    (other,) = coco.TOOL.read(tmp_path / "coco").images()  # type: ignore[misc]
    assert image.shapes[0].geometry == Rectangle(1240, 0, 1440, 960)
    assert [(s.label, s.geometry) for s in image.shapes] == [(s.label, s.geometry) for s in other.shapes]
    (zero,) = rectlabel.read(xml(tmp_path, box()), one_based=False).images()
    assert zero.shapes[0].geometry == Rectangle(1241, 1, 1440, 960)


def test_the_real_photos(real: Path) -> None:
    opened = rectlabel.read(real / "images_test")
    other, car = opened.images()
    assert (car.width, car.height) == (2313, 3000)
    assert car.image is not None
    assert other.image is None
    plate = car.shapes[0]
    assert plate == Shape("plate", Polygon.of([(1218, 1182), (1337, 1168), (1336, 1083), (1216, 1098)]))
    curve = car.shapes[2].geometry
    assert isinstance(curve, Bezier)
    assert (curve.points[0], curve.outgoing[0], curve.incoming[0]) == ((633, 2026), (615, 2017), (650, 2034))
    # The right order of handles gives the shorter way, and an area that hardly depends on the number of steps.
    swapped = replace(curve, outgoing=curve.incoming, incoming=curve.outgoing)
    assert length(flattened(curve)) < 0.9 * length(flattened(swapped))
    coarse, fine = (ring_area(flattened(curve, steps)) for steps in (8, 64))
    assert abs(coarse - fine) < 2e-4 * fine
    # The folder of annotations alone finds the photo above it.
    assert list(rectlabel.read(real / "images_test" / "annotations").images())[1].image == car.image


def length(ring: np.ndarray) -> float:
    return float(np.hypot(*(np.roll(ring, -1, axis=0) - ring).T).sum())


def test_every_shape(tmp_path: Path) -> None:
    Image.fromarray(np.eye(960, 1440, 3, dtype=np.uint8) * 255).save(tmp_path / "a_pixels7.png")
    objects = (
        "<object><name>sneakers-converse-yellow</name><pose>Left</pose><truncated>1</truncated><occluded>1</occluded>"
        "<difficult>1</difficult><line><x1>2</x1><y1>3</y1><x2>5</x2><y2>7</y2></line></object>"
        "<object><name>dot</name><point><x>4</x><y>9</y></point></object>"
        "<object><name>man</name><keypoints><x1>2</x1><y1>3</y1><v1>2</v1><x2>4</x2><y2>5</y2><v2>1</v2>"
        "<x3>0</x3><y3>0</y3><v3>0</v3></keypoints></object>"
        "<object><name>sky</name><pixels><id>7</id></pixels></object>"
        "<object><name>both</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        "<polygon><x1>1</x1><y1>1</y1><x2>9</x2><y2>1</y2><x3>9</x3><y3>9</y3></polygon></object>"
    )
    opened = rectlabel.read(xml(tmp_path, objects))
    (image,) = opened.images()
    line, dot, man, sky, both = image.shapes
    assert line == Shape(
        "sneakers",
        Polyline(((1, 2), (4, 6))),
        attributes={"attributes": ["converse", "yellow"], "truncated": True, "difficult": True, "pose": "Left"},
        occluded=True,
    )
    assert dot.geometry == Points(((3, 8),))
    assert man.geometry == Skeleton(
        (Keypoint("1", 1, 2), Keypoint("2", 3, 4, "occluded"), Keypoint("3", -1, -1, "absent"))
    )
    mask = sky.geometry
    assert isinstance(mask, Mask)
    assert (mask.left, mask.top, mask.bitmap.shape) == (3, 0, (960, 960))
    assert isinstance(both.geometry, Polygon)
    assert not opened.lost


def test_names_may_stay_whole(tmp_path: Path) -> None:
    (image,) = rectlabel.read(xml(tmp_path, box("traffic-light")), split_names=False).images()
    assert image.labels() == {"traffic-light"}


def test_missing_masks_are_named(real: Path) -> None:
    path = real / "pixels_template.xml"
    with pytest.raises(DataError, match=r"pixels_template\.xml: the mask di_an_h-NsG0zoy6eMM-unsplash_pixels0\.png is"):
        list(rectlabel.read(path))
    opened = rectlabel.read(path, missing_masks="skip")
    (image,) = opened.images()
    assert image.shapes == ()
    assert opened.lost.count("dropped", "a mask's file is missing") == 1


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 255).save(tmp_path / "a_pixels0.png")
    with pytest.raises(DataError, match=r"a_pixels0\.png: the mask has 4x4 pixels, its photo 1440x960"):
        list(rectlabel.read(xml(tmp_path, "<object><name>a</name><pixels><id>0</id></pixels></object>")))


@pytest.mark.parametrize("identity", ["../../secret", "", "/etc/x"])
def test_mask_numbers_lead_nowhere(tmp_path: Path, identity: str) -> None:
    objects = f"<object><name>a</name><pixels><id>{identity}</id></pixels></object>"
    opened = rectlabel.read(xml(tmp_path, objects, name="../../a.jpg"))
    (image,) = opened.images()
    assert image.image is None
    assert opened.lost.count("dropped", "a mask has no number") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "an object has no shape"),
        ("<hexagon/>", "shape type 'hexagon' is unknown"),
        ("<bndbox><xmin>1</xmin></bndbox>", "not a number"),
        ("<bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>", "not finite"),
        ("<polygon><x1>1</x1><y1>1</y1><x2>2</x2><y2>2</y2></polygon>", "fewer than 3 points"),
        ("<polygon><x1>1</x1><y1>1</y1><x3>2</x3><y3>2</y3></polygon>", "not numbered one after the other"),
        ("<cubic_bezier><x1>1</x1><y1>1</y1><x2>2</x2><y2>2</y2></cubic_bezier>", "lacks some of its handles"),
        ("<keypoints/>", "fewer than 1 points"),
    ],
)
def test_bad_objects_are_counted(tmp_path: Path, body: str, reason: str) -> None:
    opened = rectlabel.read(xml(tmp_path, f"<object><name>a</name>{body}</object>" + box("b")))
    (image,) = opened.images()
    assert image.labels() == {"b"}
    assert opened.lost.count("dropped", reason) == 1


def test_broken_files(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text("<annotation><size>")
    with pytest.raises(DataError, match=r"b\.xml: broken XML"):
        list(rectlabel.read(tmp_path))
    xml(tmp_path, box())
    opened = rectlabel.read(tmp_path)
    assert len(list(opened)) == 1
    assert opened.lost.count("dropped", "a file that cannot be used") == 1
    (tmp_path / "b.xml").write_text("<annotations><image/></annotations>")
    with pytest.raises(DataError, match="begins with <annotations>"):
        list(rectlabel.read(tmp_path / "b.xml"))
    with pytest.raises(DataError, match="the image's width is 'x'"):
        (tmp_path / "b.xml").write_text("<annotation><size><width>x</width></size></annotation>")
        list(rectlabel.read(tmp_path / "b.xml"))


def test_what_rectlabel_cannot_store_is_said(tmp_path: Path) -> None:
    document = AnnotatedImage(
        "sub/a.jpg",
        width=12,
        height=10,
        shapes=(
            Shape("t-shirt", Rectangle(0.5, 0, 3, 3), z=1),
            Shape("b", Points(((1, 1), (2, 2))), attributes={"size": "xl", "attributes": ["a-b"]}),
            Shape("c", Tag()),
            Shape("d", Circle(5, 5, 2), instance=3),
            Shape("e", Mask(np.ones((4, 4), bool), 10, 8)),
            Shape("f", Mask(np.ones((4, 4), bool), 50, 8)),
            Shape("g", Skeleton((Keypoint("nose", 1, 1),))),
            Shape("h", Rectangle(0, 0, 3, 3, 20)),
        ),
    )
    other = replace(document, name="sub/a.png", shapes=(Shape("i", Mask(np.ones((1, 3), bool), 2, 3)),))
    lost = rectlabel.write([document, other], tmp_path)
    for reason in (
        "which RectLabel cannot keep",
        "rounded to whole pixels",
        "the z of a shape",
        "points became shapes of their own",
        "no place for an attribute of this name",
        "a tag has no counterpart",
        "a circle became a polygon",
        "the instance of a shape",
        "cut at the edge",
        "a mask outside the image",
        "their names are gone",
        "a rotated rectangle became a polygon",
        "share one XML file",
    ):
        assert lost.count(containing=reason), reason
    found = sorted(rectlabel.read(tmp_path).images(), key=lambda image: image.name)
    assert [image.name for image in found] == ["sub/a.jpg", "sub/a.png"]
    assert [shape.label for shape in found[0].shapes] == ["t_shirt", "b", "b", "d", "e", "g", "h"]
    assert found[0].shapes[4].geometry == Mask(np.ones((2, 2), bool), 10, 8)
    assert found[1].shapes == other.shapes


def test_files_look_like_rectlabels(real: Path, tmp_path: Path) -> None:
    opened = rectlabel.read(real / "images_test")
    assert not rectlabel.write(opened, tmp_path)
    theirs = (real / "images_test" / "annotations" / "tuce-311434.xml").read_text().split()
    ours = (tmp_path / "tuce-311434.xml").read_text().split()
    added = ["<occluded>0</occluded>"] * 3  # newer versions write it
    assert sorted(ours[2:]) == sorted([*theirs[2:], *added])


def test_the_registry_finds_it(real: Path) -> None:
    tool = recognise(real / "images_test")
    assert tool is not None
    assert tool.name == "rectlabel"


KINDS = (Polygon, Polyline, Rectangle, Bezier, Mask)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "attributes": st.lists(names.filter(lambda name: "-" not in name), min_size=1, max_size=3),
        "truncated": st.just(True),
        "difficult": st.just(True),
        "pose": st.sampled_from(("Left", "Frontal")),
    },
)
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quick
@given(sets(images(KINDS, step=1, angles=False, attributes=FIELDS, shape_fields={"occluded": st.booleans()})))
def test_images_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    folder = tmp_path_factory.mktemp("rectlabel")
    lost = rectlabel.write(documents, folder)
    assert lost.lines() == []
    found = {image.name: bare(image) for image in rectlabel.read(folder).images()}
    assert_same([found[image.name] for image in documents], documents)


@quick
@given(sets(images((*KINDS, Circle, Points, Skeleton, Tag), shape_fields={"z": st.integers(0, 2)})))
def test_any_document_is_written_and_nothing_goes_silently(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    folder = tmp_path_factory.mktemp("rectlabel")
    lost = rectlabel.write(documents, folder)
    found = {image.name: image for image in rectlabel.read(folder).images()}
    for image in documents:
        kept = [shape for shape in image.shapes if not isinstance(shape.geometry, Tag)]
        assert {shape.label for shape in found[image.name].shapes} == {shape.label for shape in kept}
    tags = sum(isinstance(shape.geometry, Tag) for image in documents for shape in image.shapes)
    assert lost.count("dropped", "a tag has no counterpart") == tags
