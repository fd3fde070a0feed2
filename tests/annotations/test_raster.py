"""Drawing: edge rules against their references, orders, the three kinds of nothing, instances, speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as reference

from intarsia.annotations import DrawingRules, Lost, Shape, instance_map, rasterize
from intarsia.annotations.document import AnnotatedImage
from intarsia.annotations.drawing import clipped
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
    Tag,
)
from intarsia.annotations.raster import class_names, geometry_mask, without_unknown
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("background", "car", "person"))
SQUARE = Polygon.of([(10, 10), (20, 10), (20, 20), (10, 20)])
COORDINATES = st.one_of(st.integers(-10, 50), st.floats(-10, 50, width=32), st.sampled_from((0.5, 7.5, 29.5)))
RINGS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=9)


def document(*shapes: Shape, **more: object) -> AnnotatedImage:
    return AnnotatedImage("a.jpg", Path("a.json"), shapes=shapes, **more)  # type: ignore[arg-type]


def box(label: str, *corners: float, **more: object) -> Shape:
    return Shape(label, Rectangle(*corners), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("rule", "pixels"), [("inclusive", 121), ("coco", 100), ("center", 100)])
def test_a_square_under_each_rule(rule: str, pixels: int) -> None:
    mask = geometry_mask(SQUARE, (30, 40), DrawingRules(rule))
    rows, columns = np.nonzero(mask)
    last = 20 if rule == "inclusive" else 19
    assert mask.sum() == pixels
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, last, 10, last)


@settings(max_examples=200, deadline=None)
@given(RINGS, st.integers(1, 40), st.integers(1, 40))
def test_coco_is_pycocotools(ring: list, height: int, width: int) -> None:
    flat = [float(value) for point in ring for value in point]
    theirs = reference.decode(reference.merge(reference.frPyObjects([flat], height, width))).astype(bool)
    assert np.array_equal(geometry_mask(Polygon.of(ring), (height, width), DrawingRules("coco")), theirs)


@settings(max_examples=200, deadline=None)
@given(RINGS, st.integers(1, 40), st.integers(1, 40))
def test_center_is_even_odd_at_pixel_centres(ring: list, height: int, width: int) -> None:
    corners = np.array(ring, np.float64)
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        spans = (y1 <= y) != (y2 <= y)
        crossing = x1 + (y - y1) * ((x2 - x1) / ((y2 - y1) or 1.0))
        inside ^= spans & (crossing <= x)
    assert np.array_equal(geometry_mask(Polygon.of(ring), (height, width), DrawingRules("center")), inside)


@settings(max_examples=100, deadline=None)
@given(RINGS, st.integers(1, 40), st.integers(1, 40))
def test_inclusive_is_pillow(ring: list, height: int, width: int) -> None:
    picture = Image.new("1", (width, height))
    ImageDraw.Draw(picture).polygon(ring, fill=1, outline=1)
    assert np.array_equal(
        geometry_mask(Polygon.of(ring), (height, width), DrawingRules("inclusive")), np.asarray(picture)
    )


@pytest.mark.parametrize("rule", ["inclusive", "coco", "center"])
def test_holes_are_kept_and_parts_united(rule: str) -> None:
    hole = ((13.0, 13.0), (17.0, 13.0), (17.0, 17.0), (13.0, 17.0))
    island = ((14.0, 14.0), (16.0, 14.0), (16.0, 16.0), (14.0, 16.0))
    polygon = Polygon(((SQUARE.rings[0], hole), (island,)))
    mask = geometry_mask(polygon, (30, 30), DrawingRules(rule))
    assert mask[11, 11] and mask[15, 15]
    # Inclusive: the hole's outline belongs to the area, so it loses 3 x 3 pixels, and the island fills just these.
    expected = {"inclusive": 121 - 9 + 9, "coco": 100 - 16 + 4, "center": 100 - 16 + 4}[rule]
    assert geometry_mask(Polygon(polygon.parts[:1]), (30, 30), DrawingRules(rule))[15, 15] == 0
    assert mask.sum() == expected


def test_overlaps_in_every_order() -> None:
    shapes = (box("car", 0, 0, 4, 4, z=5), box("person", 2, 0, 9, 4, z=1))
    at = {
        order: rasterize(document(*shapes), (5, 10), SPACE, DrawingRules("coco", order))[0].tolist()
        for order in ("list", "z", "area")
    }
    assert at["list"] == [1, 1, 2, 2, 2, 2, 2, 2, 2, 0]
    assert at["z"] == [1, 1, 1, 1, 2, 2, 2, 2, 2, 0]
    assert at["area"] == at["z"]  # the car is smaller, so it lies on top


def test_groups_lie_below_everything_when_drawn_by_area() -> None:
    shapes = (box("car", 0, 0, 9, 4), box("person", 0, 0, 2, 2, crowd=True))
    assert (rasterize(document(*shapes), (4, 9), SPACE, DrawingRules("coco", "area")) == 1).all()
    ignored = rasterize(document(*shapes), (4, 9), SPACE, DrawingRules("coco", "list"), ignore_crowd=True)
    assert ignored[0, 0] == 255 and ignored[3, 8] == 1


def test_background_ignore_and_unlabelled_are_three_things() -> None:
    shapes = (box("car", 0, 0, 6, 2), box("_background_", 0, 0, 2, 2), box("void", 2, 0, 4, 2))
    drawing = DrawingRules("coco")
    assert rasterize(document(*shapes), (2, 8), SPACE, drawing)[0].tolist() == [0, 0, 255, 255, 1, 1, 0, 0]
    ignored = rasterize(document(*shapes), (2, 8), SPACE, drawing, unlabelled="ignore")
    assert ignored[0].tolist() == [0, 0, 255, 255, 1, 1, 255, 255]
    without = LabelSpace(("car",))
    assert rasterize(document(*shapes), (2, 8), without, drawing)[0].tolist() == [255] * 4 + [0, 0] + [255] * 2
    with pytest.raises(UsageError, match="no class is the background"):
        rasterize(document(*shapes), (2, 8), without, drawing, unlabelled="background")


def test_what_has_no_area_is_counted_or_drawn_when_asked() -> None:
    shapes = (
        Shape("car", Polyline(((0, 5), (19, 5)))),
        Shape("car", Points(((10.0, 2.0),))),
        Shape("car", Cuboid(((0.0, 0.0),) * 8)),
        Shape("car", Tag()),
    )
    lost = Lost()
    assert not rasterize(document(*shapes), (11, 20), SPACE, lost=lost).any()
    assert lost.count("dropped") == 4
    assert lost.count(containing="no area to draw: polyline") == 1
    drawn = rasterize(document(*shapes), (11, 20), SPACE, DrawingRules(line_width=3, point_radius=1))
    assert drawn[4:7].all() and not drawn[8:].any()
    assert drawn[2, 9:12].tolist() == [1, 1, 1]


@pytest.mark.parametrize("rule", ["inclusive", "coco", "center"])
def test_curves_have_their_area(rule: str) -> None:
    size = (200, 200)
    edge = 2 * np.pi * 50 / 2 if rule == "inclusive" else 0  # half a pixel around
    disc = geometry_mask(Circle(100, 100, 50), size, DrawingRules(rule)).sum()
    assert abs(disc - np.pi * 2500 - edge) < 120
    ellipse = geometry_mask(Ellipse(100, 100, 60, 20, 30), size, DrawingRules(rule)).sum()
    assert abs(ellipse - np.pi * 1200 - (edge and 140)) < 120
    turned = geometry_mask(Rectangle(50, 90, 150, 110, 45), size, DrawingRules(rule)).sum()
    assert abs(turned - 2000 - (edge and 170)) < 120
    kappa = 50 * 0.5522847498
    points = ((150.0, 100.0), (100.0, 150.0), (50.0, 100.0), (100.0, 50.0))
    leaving = ((150.0, 100 + kappa), (100 - kappa, 150.0), (50.0, 100 - kappa), (100 + kappa, 50.0))
    reaching = ((150.0, 100 - kappa), (100 + kappa, 150.0), (50.0, 100 + kappa), (100 - kappa, 50.0))
    curve = geometry_mask(Bezier(points, leaving, reaching), size, DrawingRules(rule)).sum()
    assert abs(curve - disc) < (150 if rule == "inclusive" else 60)  # Pillow rounds a polygon's corners down


def test_a_rotated_box_turns_clockwise_on_the_screen() -> None:
    mask = geometry_mask(Rectangle(2, 9, 18, 11, 45), (20, 20), DrawingRules("center"))
    assert mask[5, 5] and mask[14, 14]
    assert not mask[5, 14] and not mask[14, 5]


def test_masks_are_cut_at_the_border() -> None:
    mask = Mask(np.ones((4, 4), np.bool_), -2, 8)
    assert np.argwhere(clipped(mask, (10, 10))).tolist() == [[8, 0], [8, 1], [9, 0], [9, 1]]
    for rule in ("inclusive", "coco", "center"):
        assert np.array_equal(geometry_mask(mask, (10, 10), DrawingRules(rule)), clipped(mask, (10, 10)))
    assert not clipped(Mask(np.ones((4, 4), np.bool_), 50, 50), (10, 10)).any()


def test_instances_are_numbered_and_parts_share_a_number() -> None:
    shapes = (
        box("car", 0, 0, 2, 2, instance=7),
        box("person", 3, 0, 5, 2),
        box("car", 6, 0, 8, 2, instance=7),
        box("void", 8, 0, 9, 2),
        box("person", 9, 0, 10, 2, instance=7),
    )
    drawn = instance_map(document(*shapes), (2, 10), DrawingRules("coco"))
    assert drawn.ids[0].tolist() == [1, 1, 0, 2, 2, 0, 1, 1, 0, 3]
    assert [thing.label for thing in drawn.things] == ["car", "person", "person"]


def test_an_image_on_its_side_is_recognised() -> None:
    with pytest.raises(DataError, match=r"40x30 pixels, but a\.jpg has 30x40, the same on its side.*EXIF"):
        rasterize(document(width=40, height=30), (40, 30), SPACE)
    with pytest.raises(DataError, match=r"40x30 pixels, but a.jpg has 20x10; restore"):
        rasterize(document(width=40, height=30), (10, 20), SPACE)


def test_unknown_names_are_suggested() -> None:
    with pytest.raises(DataError, match=r"named 'persn'. Did you mean 'person'"):
        rasterize(document(box("persn", 0, 0, 1, 1)), (4, 4), SPACE)
    with pytest.raises(UsageError, match=r"no raster rule is named 'inclusiv'. Did you mean 'inclusive'"):
        DrawingRules("inclusiv")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no drawing order"):
        DrawingRules("coco", "first")  # type: ignore[arg-type]


def test_what_is_unknown_is_left_out() -> None:
    space = LabelSpace(("tree", "VOID", "car", "unlabelled"))
    labels = np.array([[0, 1, 2, 3, 255]], np.uint8)
    assert without_unknown(labels, space).tolist() == [[0, 255, 2, 255, 255]]
    assert labels.tolist() == [[0, 1, 2, 3, 255]]
    assert without_unknown(labels, LabelSpace(("a", "b", "c", "d"))) is labels


def test_class_names_of_an_export() -> None:
    assert class_names(["tree", "_background_", "__ignore__", "car", "Void", "tree"]) == ("background", "tree", "car")


@pytest.mark.parametrize("rule", ["inclusive", "coco", "center"])
def test_ten_thousand_polygons(rule: str) -> None:
    random = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    centres, radii = random.uniform(0, 2000, (10_000, 1, 2)), random.uniform(5, 40, (10_000, 24, 1))
    rings = centres + radii * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    shapes = [Shape("car", Polygon.of([tuple(p) for p in ring])) for ring in rings.tolist()]
    labels = rasterize(document(*shapes), (2000, 2000), SPACE, DrawingRules(rule))
    assert labels.mean() > 0.9


def test_lines_have_round_joints_as_labelme_draws_them() -> None:
    line = Polyline(((10.0, 50.0), (30.0, 10.0), (50.0, 50.0)))
    image = Image.new("L", (64, 64), 0)
    ImageDraw.Draw(image).line(line.points, fill=1, width=10, joint="curve")
    drawn = rasterize(document(Shape("car", line)), (64, 64), SPACE, DrawingRules(line_width=10))
    assert np.array_equal(drawn, np.asarray(image) * SPACE.index("car"))
