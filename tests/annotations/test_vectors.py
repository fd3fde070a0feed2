"""Masks to polygons and back: exactly the same pixels, with holes and many parts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from intarsia.annotations.document import AnnotatedImage
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.geometry import Polygon
from intarsia.annotations.layers import layered
from intarsia.annotations.outlines import crosses_itself
from intarsia.annotations.raster import geometry_mask, rasterize
from intarsia.annotations.vectors import mask_polygons, vectorise
from intarsia.labels import LabelSpace

RULES = ("inclusive", "coco", "center")
SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
MASKS = arrays.arrays(np.bool_, SHAPES, elements=st.booleans(), fill=st.just(True)) | arrays.arrays(np.bool_, SHAPES)


@settings(max_examples=300, deadline=None)
@given(MASKS, st.sampled_from(RULES))
def test_mask_to_polygons_to_mask(mask: np.ndarray, rule: str) -> None:
    polygon = mask_polygons(mask, rule=rule)
    assert np.array_equal(geometry_mask(polygon, mask.shape, DrawingRules(rule)), mask)
    assert all(len(ring) >= 3 for ring in polygon.rings)


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from((0, 1, 2, 3, 255))), st.sampled_from(RULES))
def test_labels_to_shapes_to_labels(labels: np.ndarray, rule: str) -> None:
    space = LabelSpace(("background", "a", "b", "c"))
    document = AnnotatedImage("x.png", shapes=vectorise(labels, space, rule=rule))
    drawn = rasterize(document, labels.shape, space, DrawingRules(rule))
    assert np.array_equal(drawn, np.where(labels == 255, 0, labels))
    assert all(len(shape.geometry.parts) == 1 for shape in document.shapes)  # type: ignore[union-attr]


@settings(max_examples=200, deadline=None)
@given(
    arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from((0, 1, 2, 255)), fill=st.just(1)),
    st.sampled_from(RULES),
    st.sampled_from((("background", "a", "b"), ("x", "a", "b"))),
)
def test_layers_give_the_labels_again_without_holes(labels: np.ndarray, rule: str, names: tuple) -> None:
    space = LabelSpace(names)
    labels = labels if names[0] == "background" else np.where(labels == 255, 0, labels).astype(np.uint8)
    document = AnnotatedImage("x.png", shapes=layered(labels, space, rule=rule))
    assert all(shape.geometry.is_simple for shape in document.shapes)  # type: ignore[union-attr]
    order = "area" if rule == "coco" else "list"
    drawn = rasterize(document, labels.shape, space, DrawingRules(rule, order))
    # Ignored pixels are only outlined where something else would cover them.
    uncovered = (labels == 255) & (drawn == 0)
    assert np.array_equal(np.where(uncovered, 255, drawn), labels)


def test_layers_outline_the_background_only_inside_of_others() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 1
    labels[3:6, 3:6] = 0
    labels[4, 4] = 2
    shapes = layered(labels, LabelSpace(("background", "a", "b")))
    assert [shape.label for shape in shapes] == ["a", "background", "b"]
    assert [shape.label for shape in layered(labels, LabelSpace(("background", "a", "b")), min_area=2)] == [
        "a",
        "background",
    ]


def test_simplified_layers_do_not_outline_what_surrounds_them() -> None:
    y, x = np.mgrid[0:80, 0:90]
    distance = np.hypot(y - 40, x - 45 + 3 * np.sin(y))
    labels = np.where((distance < 30) & (distance > 8), 1, 0).astype(np.uint8)
    shapes = layered(labels, LabelSpace(("background", "a")), rule="inclusive", tolerance=1.0, min_area=16)
    assert [shape.label for shape in shapes] == ["a", "background"], "of the background only what is in the hole"
    assert max(x for x, _ in shapes[1].geometry.rings[0]) < 60  # type: ignore[union-attr]


def test_a_ring_with_an_island() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[1:8, 1:8] = True
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    polygon = mask_polygons(mask, (100, 50))
    assert polygon.has_holes and len(polygon.parts) == 2
    outer, hole = next(part for part in polygon.parts if len(part) == 2)
    assert set(outer) == {(101.0, 51.0), (108.0, 51.0), (108.0, 58.0), (101.0, 58.0)}
    assert set(hole) == {(102.0, 52.0), (107.0, 52.0), (107.0, 57.0), (102.0, 57.0)}


def test_pieces_that_touch_at_a_corner() -> None:
    mask = np.eye(3, dtype=np.bool_)
    assert len(mask_polygons(mask, rule="coco").parts) == 3
    assert len(mask_polygons(mask, rule="inclusive").parts) == 1


def test_nothing_gives_no_parts() -> None:
    for rule in RULES:
        assert mask_polygons(np.zeros((4, 5), np.bool_), rule=rule) == Polygon(())


def test_simplifying_keeps_within_the_tolerance() -> None:
    y, x = np.mgrid[:200, :200]
    disc = np.hypot(x - 100, y - 100) < 80
    exact, simple = mask_polygons(disc), mask_polygons(disc, tolerance=1.5)
    assert len(simple.rings[0]) < len(exact.rings[0]) / 8
    changed = geometry_mask(simple, disc.shape, DrawingRules("coco")) != disc
    distance = np.abs(np.hypot(x - 100, y - 100) - 80)
    assert 0 < changed.sum() < 0.03 * disc.sum()
    assert distance[changed].max() <= 1.5 + 1.5  # the tolerance, and a pixel's diagonal


@pytest.mark.parametrize("rule", RULES)
def test_small_pieces_can_be_left_out(rule: str) -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[1:4, 1:4] = 1
    labels[8, 8] = 1
    shapes = vectorise(labels, LabelSpace(("background", "a")), rule=rule, min_area=2)
    assert len(shapes) == 1
    assert len(vectorise(labels, LabelSpace(("background", "a")), rule=rule, background=True)) == 3


def test_simplified_outlines_never_cross_themselves() -> None:
    crossed = 0
    for seed in range(40):
        noise = cv2.GaussianBlur(np.random.default_rng(seed).random((60, 60)), (0, 0), 1.6)
        for geometry in (mask_polygons(noise > 0.5, rule=rule, tolerance=2.5) for rule in ("inclusive", "coco")):
            assert not any(crosses_itself(np.asarray(ring)) for ring in geometry.rings)
        for ring in mask_polygons(noise > 0.5).rings:
            simple = cv2.approxPolyDP(np.asarray(ring, np.float32)[:, None], 2.5, True)[:, 0]
            crossed += crosses_itself(simple.astype(float))
    assert crossed > 0  # what is tested does happen
