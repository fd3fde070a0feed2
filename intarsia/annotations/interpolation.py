"""Positions between two keyframes of a track."""

from __future__ import annotations

import numpy as np

from intarsia.annotations.blending import blend_angle, blend_outline, blend_points
from intarsia.annotations.geometry import (
    Circle,
    Cuboid,
    Ellipse,
    Geometry,
    Keypoint,
    Point,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
)


def between(left: Geometry, right: Geometry, weight: float) -> Geometry:
    """Compute a position between two keyframes; `weight` is 0 at the left one and 1 at the right one.

    Masks, groups of points, polygons of several rings and shapes of two different kinds do not move: the left one
    stays until the right one takes its place, as in CVAT.
    """
    if isinstance(left, Rectangle) and isinstance(right, Rectangle):
        corners = ((left.x1, left.y1), (left.x2, left.y2)), ((right.x1, right.y1), (right.x2, right.y2))
        (x1, y1), (x2, y2) = _linear(*corners, weight)
        return Rectangle(x1, y1, x2, y2, blend_angle(left.angle, right.angle, weight))
    if isinstance(left, Ellipse) and isinstance(right, Ellipse):
        axes = ((left.x, left.y), (left.rx, left.ry)), ((right.x, right.y), (right.rx, right.ry))
        (x, y), (rx, ry) = _linear(*axes, weight)
        return Ellipse(x, y, rx, ry, blend_angle(left.angle, right.angle, weight))
    if isinstance(left, Circle) and isinstance(right, Circle):
        (x, y), (radius, _) = _linear(
            ((left.x, left.y), (left.radius, 0)), ((right.x, right.y), (right.radius, 0)), weight
        )
        return Circle(x, y, radius)
    if isinstance(left, Cuboid) and isinstance(right, Cuboid):
        return Cuboid(_linear(left.points, right.points, weight))
    if isinstance(left, Points) and isinstance(right, Points) and len(left.points) == len(right.points) == 1:
        return Points(_linear(left.points, right.points, weight))
    if isinstance(left, Polygon) and isinstance(right, Polygon) and left.is_simple and right.is_simple:
        return Polygon.of(_outline(left.rings[0], right.rings[0], weight, closed=True))
    if isinstance(left, Polyline) and isinstance(right, Polyline):
        return Polyline(_outline(left.points, right.points, weight, closed=False))
    if isinstance(left, Skeleton) and isinstance(right, Skeleton):
        return Skeleton(tuple(_keypoint(point, right, weight) for point in left.points))
    return left


def _keypoint(point: Keypoint, right: Skeleton, weight: float) -> Keypoint:
    later = next((other for other in right.points if other.name == point.name), point)
    ((x, y),) = _linear(((point.x, point.y),), ((later.x, later.y),), weight)
    return Keypoint(point.name, x, y, point.state)


def _linear(left: tuple[Point, ...], right: tuple[Point, ...], weight: float) -> tuple[Point, ...]:
    return _pairs(blend_points(np.array(left), np.array(right), weight))


def _outline(left: tuple[Point, ...], right: tuple[Point, ...], weight: float, *, closed: bool) -> tuple[Point, ...]:
    return _pairs(blend_outline(np.array(left), np.array(right), weight, closed=closed))


def _pairs(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[Point, ...]:
    return tuple((x, y) for x, y in points.tolist())
