"""From any geometry with an area to closed rings, and what rings enclose."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.geometry import Bezier, Circle, Ellipse, Geometry, Mask, Polygon, Rectangle

Rings = list[list[NDArray[np.float64]]]
"""Parts, each of its outer ring and its holes, as arrays (n, 2) of x and y."""

BEZIER_STEPS = 16
_MOST_EDGES = 2000
_SAGITTA = 0.02  # pixels between a curve and the polygon that stands for it


def rings(geometry: Geometry) -> Rings:
    """The outline of a geometry as polygons; curves are flattened, masks and what has no area give none."""
    match geometry:
        case Polygon(parts):
            return [[np.asarray(ring, np.float64).reshape(-1, 2) for ring in part] for part in parts if part]
        case Rectangle(x1, y1, x2, y2, angle):
            corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)
            return [[turned(corners, ((x1 + x2) / 2, (y1 + y2) / 2), angle)]]
        case Circle(x, y, radius):
            return [[_ellipse(x, y, radius, radius, 0.0)]]
        case Ellipse(x, y, rx, ry, angle):
            return [[_ellipse(x, y, rx, ry, angle)]]
        case Bezier():
            return [[flattened(geometry)]]
        case _:
            return []


def turned(points: NDArray[np.float64], centre: tuple[float, float], angle: float) -> NDArray[np.float64]:
    """Points (n, 2) turned about a centre by degrees, clockwise on the screen."""
    if not angle:
        return points
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    moved = points - centre
    return np.asarray(moved @ np.array([(cos, sin), (-sin, cos)]) + centre)


def flattened(curve: Bezier, steps: int = BEZIER_STEPS) -> NDArray[np.float64]:
    """Points (n * steps, 2) on a closed Bezier outline."""
    start = np.asarray(curve.points, np.float64).reshape(-1, 2)
    leaving = np.asarray(curve.outgoing, np.float64).reshape(-1, 2)
    reaching = np.roll(np.asarray(curve.incoming, np.float64).reshape(-1, 2), -1, axis=0)
    end = np.roll(start, -1, axis=0)
    t = (np.arange(steps) / steps)[None, :, None]
    curves = (
        (1 - t) ** 3 * start[:, None]
        + 3 * (1 - t) ** 2 * t * leaving[:, None]
        + 3 * (1 - t) * t**2 * reaching[:, None]
        + t**3 * end[:, None]
    )
    return np.asarray(curves.reshape(-1, 2))


def area(geometry: Geometry) -> float:
    """Square pixels that a geometry covers (parts added up, holes subtracted)."""
    if isinstance(geometry, Mask):
        return float(np.count_nonzero(geometry.bitmap))
    return sum(ring_area(part[0]) - sum(map(ring_area, part[1:])) for part in rings(geometry))


def ring_area(ring: NDArray[np.float64]) -> float:
    """Square pixels inside one ring."""
    x, y = (ring - ring[:1]).T  # near zero, so that large coordinates cost no precision
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def bounds(geometry: Geometry) -> tuple[float, float, float, float] | None:
    """(x1, y1, x2, y2) around an area, None when it has none."""
    if isinstance(geometry, Mask):
        inner = geometry.cropped()
        height, width = inner.bitmap.shape
        return (inner.left, inner.top, inner.left + width, inner.top + height) if height else None
    corners = [ring for part in rings(geometry) for ring in part if len(ring)]
    if not corners:
        return None
    points = np.concatenate(corners)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x1, y1, x2, y2


def _ellipse(x: float, y: float, rx: float, ry: float, angle: float) -> NDArray[np.float64]:
    radius = max(rx, ry, 1.0)
    count = min(max(16, math.ceil(math.pi / math.acos(1 - _SAGITTA / radius))), 1024)
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return turned(np.stack((x + rx * np.cos(t), y + ry * np.sin(t)), axis=1), (x, y), angle)


def crosses_itself(ring: NDArray[np.float64]) -> bool:
    """Tell whether edges of a ring (n, 2) cross that are no neighbours. Rings of over 2000 edges count as simple."""
    count = len(ring)
    if count < 4 or count > _MOST_EDGES:
        return False
    a, b = ring, np.roll(ring, -1, axis=0)
    first, second = np.triu_indices(count, 2)
    apart = (second - first) % count != count - 1
    first, second = first[apart], second[apart]

    def side(p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0]))

    p, q, r, s = a[first], b[first], a[second], b[second]
    return bool(((side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)).any())
