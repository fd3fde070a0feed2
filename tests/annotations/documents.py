"""Hypothesis strategies for annotation documents, and what "the same document" means after a walk through a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from intarsia.annotations.document import AnnotatedImage, Shape
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

KEYPOINTS = ("nose", "left eye", "right eye")
LABELS = ("car", "person", "ein Bäumchen", "слон", "a b")

names = st.text(st.sampled_from("abcXYZ019 _-äж"), min_size=1, max_size=8).map(str.strip).filter(bool)
texts = st.text(st.sampled_from("abc &<>\"'äж;,=09"), max_size=8).map(str.strip)


def coordinates(limit: int, step: float = 0.25) -> st.SearchStrategy[float]:
    """Multiples of `step` from 0 to `limit`, which every format stores exactly (1: for formats of whole pixels)."""
    return st.integers(0, int(limit / step)).map(lambda value: value * step)


def rings(width: int, height: int, step: float = 0.25) -> st.SearchStrategy[tuple[tuple[float, float], ...]]:
    return st.lists(
        st.tuples(coordinates(width, step), coordinates(height, step)), min_size=3, max_size=7, unique=True
    ).map(tuple)


@st.composite
def geometries(
    draw: st.DrawFn, kinds: Sequence[type], width: int, height: int, step: float = 0.25, angles: bool = True
) -> Any:
    """One geometry of the given kinds inside an image of width x height."""
    kind = draw(st.sampled_from(list(kinds)))
    point = st.tuples(coordinates(width, step), coordinates(height, step))
    angle = draw(st.sampled_from((0.0, 0.0, 30.0, 90.0, 147.25))) if angles else 0.0
    if kind is Polygon:
        return Polygon.of(draw(rings(width, height, step)))
    if kind is Polyline:
        return Polyline(tuple(draw(st.lists(point, min_size=2, max_size=5, unique=True))))
    if kind is Points:
        return Points(tuple(draw(st.lists(point, min_size=1, max_size=4, unique=True))))
    if kind is Rectangle:
        (x1, y1), (x2, y2) = draw(point), draw(point)
        box = Rectangle.between((x1, y1), (x2 + (x1 == x2), y2 + (y1 == y2)))
        return replace(box, angle=angle)
    if kind in (Circle, Ellipse):
        x, y = draw(point)
        radii = draw(st.tuples(*[st.integers(1, 8).map(lambda value: value * step)] * 2))
        return Circle(x, y, radii[0]) if kind is Circle else Ellipse(x, y, *radii, angle)
    if kind is Bezier:
        anchors = draw(rings(width, height, step))
        handles = st.lists(point, min_size=len(anchors), max_size=len(anchors)).map(tuple)
        return Bezier(anchors, draw(handles), draw(handles))
    if kind is Mask:
        h, w = draw(st.integers(1, height)), draw(st.integers(1, width))
        packed = draw(st.binary(min_size=-(-h * w // 8), max_size=-(-h * w // 8)))  # a draw a bit takes long
        bitmap = np.unpackbits(np.frombuffer(packed, np.uint8), count=h * w).astype(np.bool_).reshape(h, w)
        bitmap[0, 0] = True
        return Mask(bitmap, draw(st.integers(0, width - w)), draw(st.integers(0, height - h))).cropped()
    if kind is Cuboid:
        return Cuboid(tuple(draw(st.lists(point, min_size=8, max_size=8))))
    if kind is Skeleton:
        states = st.sampled_from(("visible", "occluded", "absent"))
        return Skeleton(tuple(Keypoint(name, *draw(point), draw(states)) for name in KEYPOINTS))
    assert kind is Tag
    return Tag()


@st.composite
def images(
    draw: st.DrawFn,
    kinds: Sequence[type],
    *,
    step: float = 0.25,
    angles: bool = True,
    attributes: st.SearchStrategy[dict[str, Any]] | None = None,
    shape_fields: dict[str, st.SearchStrategy[Any]] | None = None,
    name: st.SearchStrategy[str] | None = None,
) -> AnnotatedImage:
    """An image with up to five shapes of the given kinds.

    Args:
        kinds: geometry classes.
        step: coordinates are multiples of it.
        angles: rectangles and ellipses may be turned.
        attributes: of shapes; None leaves them out.
        shape_fields: further fields of `Shape` by name ("z", "occluded", "instance", "score", ...).
        name: of the image, unique where several are drawn; default one of a few.
    """
    width, height = draw(st.integers(4, 24)), draw(st.integers(4, 24))
    shapes = []
    for _ in range(draw(st.integers(0, 5))):
        geometry = draw(geometries(kinds, width, height, step, angles))
        more = {field: draw(strategy) for field, strategy in (shape_fields or {}).items()}
        if attributes is not None:
            more["attributes"] = draw(attributes)
        shapes.append(Shape(draw(st.sampled_from(LABELS)), geometry, **more))
    chosen = draw(name or st.sampled_from(("a.jpg", "sub/b.png", "ü ж.jpeg")))
    return AnnotatedImage(chosen, width=width, height=height, shapes=tuple(shapes))


def sets(image: st.SearchStrategy[AnnotatedImage]) -> st.SearchStrategy[list[AnnotatedImage]]:
    """One to three images of different names."""
    return st.lists(image, min_size=1, max_size=3).map(
        lambda found: [replace(one, name=f"{number} {one.name}") for number, one in enumerate(found)]
    )


def bare(document: AnnotatedImage) -> AnnotatedImage:
    """A document without what only says where it was read: file names, the tool, entries that only the tool knows."""
    shapes = tuple(replace(shape, extra={}) for shape in document.shapes)
    return replace(document, source=Path(), image=None, tool="", extra={}, shapes=shapes)


def assert_same(found: Any, expected: Any, tolerance: float = 1e-6, where: str = "document") -> None:
    """Compare two documents field by field, numbers up to a tolerance."""
    assert type(found) is type(expected) or {type(found), type(expected)} <= {int, float}, f"{where}: {found!r}"
    if isinstance(expected, Mask):
        assert found == expected, where
    elif is_dataclass(expected):
        for field in fields(expected):
            left, right = getattr(found, field.name), getattr(expected, field.name)
            if field.name == "angle":
                assert abs((left - right + 180) % 360 - 180) <= max(tolerance, 1e-3), f"{where}.angle: {left} {right}"
            else:
                assert_same(left, right, tolerance, f"{where}.{field.name}")
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), f"{where}: {found} is not {expected}"
        for key in expected:
            assert_same(found[key], expected[key], tolerance, f"{where}[{key!r}]")
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), f"{where}: {len(found)} are not {len(expected)}"
        for number, (left, right) in enumerate(zip(found, expected, strict=True)):
            assert_same(left, right, tolerance, f"{where}[{number}]")
    elif isinstance(expected, float):
        assert abs(found - expected) <= tolerance, f"{where}: {found} is not {expected}"
    else:
        assert found == expected, f"{where}: {found!r} is not {expected!r}"
