"""GeoJSON (RFC 7946): shapes as features, in pixels or, with an affine, in map coordinates. Only written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.geometry import Points, Polygon, Polyline, Skeleton, Tag
from intarsia.annotations.lost import Lost
from intarsia.annotations.tools import Tool
from intarsia.annotations.writing import account, fitted, still_images, to_json
from intarsia.errors import DataError
from intarsia.files import atomic_path

Affine = tuple[float, float, float, float, float, float]
"""x' = a x + b y + c, y' = d x + e y + f, with (x, y) in pixels from the upper left corner of the image."""

PIXELS: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

_ACCEPTED = (Polygon, Polyline, Points, Skeleton, Tag)


def write(
    documents: Iterable[Document],
    path: Path,
    *,
    categories: Sequence[Category] = (),
    affine: Affine = PIXELS,
    crs: str = "",
) -> Lost:
    """Write one FeatureCollection of all shapes; each feature names its image and class.

    Args:
        documents: what to write.
        path: the file.
        categories: not stored; features carry their class.
        affine: from pixels to map coordinates, the same for every image; default pixels (y down).
        crs: name of the coordinate system (such as "EPSG:32633"), for readers that know it; RFC 7946 itself has none.

    Returns:
        What GeoJSON cannot express.

    Raises:
        DataError: nothing to write, or the file cannot be written.
    """
    lost = Lost()
    images = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection",\n')
        if crs:
            file.write(f'"crs": {to_json({"type": "name", "properties": {"name": crs}})},\n')
        file.write('"features": [')
        first = True
        for document in still_images(documents, lost):
            images += 1
            stored = ("instance", "z", "attributes", "occluded", "crowd", "source", "score")
            account(document, lost, "geojson", shape=stored, image=("frame", "time"))
            for drawn in document.shapes:
                for shape in fitted(drawn, lost, document.name, _ACCEPTED, parts=True, holes=True):
                    file.write(("\n" if first else ",\n") + to_json(feature(shape, document, affine)))
                    first = False
        if not images:
            raise DataError(f"{path}: there are no annotations to write")
        file.write("\n]}\n")
    return lost


def feature(shape: Shape, document: AnnotatedImage, affine: Affine = PIXELS) -> dict[str, Any]:
    """One shape as a GeoJSON feature; a tag has no geometry, a skeleton's absent points have no coordinates."""
    properties: dict[str, Any] = {"label": shape.label, "image": document.name}
    for name in ("instance", "z", "occluded", "crowd", "source", "score"):
        if value := getattr(shape, name):
            properties[name] = value
    for name in ("frame", "time"):
        if (value := getattr(document, name)) is not None:
            properties[name] = value
    if shape.attributes:
        properties["attributes"] = dict(shape.attributes)
    if isinstance(shape.geometry, Skeleton):
        properties["keypoints"] = [{"name": point.name, "state": point.state} for point in shape.geometry.points]
    return {"type": "Feature", "geometry": _geometry(shape, affine), "properties": properties}


def _geometry(shape: Shape, affine: Affine) -> dict[str, Any] | None:
    match shape.geometry:
        case Polygon(parts):
            drawn = [[_ring(ring, affine, hole=bool(place)) for place, ring in enumerate(part)] for part in parts]
            if len(drawn) == 1:
                return {"type": "Polygon", "coordinates": drawn[0]}
            return {"type": "MultiPolygon", "coordinates": drawn}
        case Polyline(points):
            return {"type": "LineString", "coordinates": _mapped(points, affine).tolist()}
        case Points(points):
            mapped = _mapped(points, affine).tolist()
            if len(mapped) == 1:
                return {"type": "Point", "coordinates": mapped[0]}
            return {"type": "MultiPoint", "coordinates": mapped}
        case Skeleton(points):
            seen = [(point.x, point.y) for point in points if point.state != "absent"]
            return {"type": "MultiPoint", "coordinates": _mapped(seen, affine).tolist()}
        case _:
            return None


def _mapped(points: Any, affine: Affine) -> NDArray[np.float64]:
    a, b, c, d, e, f = affine
    x, y = np.asarray(points, np.float64).reshape(-1, 2).T
    return np.stack((a * x + b * y + c, d * x + e * y + f), axis=1)


def _ring(points: Any, affine: Affine, *, hole: bool) -> list[list[float]]:
    """A closed ring, counterclockwise outside and clockwise around holes (RFC 7946, section 3.1.6)."""
    mapped = _mapped(points, affine)
    x, y = (mapped - mapped[0]).T
    counterclockwise = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) > 0
    if counterclockwise == hole:
        mapped = mapped[::-1]
    found: list[list[float]] = mapped.tolist()
    return [*found, found[0]]


TOOL = Tool("geojson", "GeoJSON features in pixels or map coordinates", lambda path: False, None, write, ".geojson")
