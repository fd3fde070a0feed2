"""GeoJSON: geometries, orientation, map coordinates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import images
from hypothesis import HealthCheck, given, settings

from intarsia.annotations import AnnotatedImage, Shape, write_annotations
from intarsia.annotations.formats.geojson import write
from intarsia.annotations.geometry import Circle, Cuboid, Mask, Points, Polygon, Polyline, Rectangle, Skeleton, Tag
from intarsia.errors import DataError, UsageError

OUTER = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
HOLE = ((2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0))


def area(ring: list) -> float:
    x, y = np.array(ring[:-1]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@pytest.mark.parametrize("affine", [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.5, 0.0, 400000.0, 0.0, -0.5, 5e6)])
def test_rings_turn_as_the_standard_says_in_any_frame(tmp_path: Path, affine: tuple) -> None:
    shape = Shape("roof", Polygon(((OUTER, HOLE),)), score=0.5, attributes={"kind": "flat"})
    lost = write([AnnotatedImage("a.tif", shapes=(shape,))], tmp_path / "a.geojson", affine=affine, crs="EPSG:32633")
    value = json.loads((tmp_path / "a.geojson").read_text())
    (feature,) = value["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert outer[0] == outer[-1] and hole[0] == hole[-1]
    assert area(outer) == pytest.approx(100 * abs(affine[0] * affine[4]))
    assert area(hole) == pytest.approx(-4 * abs(affine[0] * affine[4]))
    corners = {tuple(point) for point in outer}
    assert (affine[0] * 10 + affine[2], affine[4] * 10 + affine[5]) in corners
    assert feature["properties"] == {"label": "roof", "image": "a.tif", "score": 0.5, "attributes": {"kind": "flat"}}
    assert value["crs"]["properties"]["name"] == "EPSG:32633"
    assert not lost


def test_every_geometry(tmp_path: Path) -> None:
    ring = np.ones((3, 3), np.bool_)
    ring[1, 1] = False
    shapes = (
        Shape("a", Polygon(((OUTER,), (HOLE,)))),
        Shape("b", Polyline(((0, 0), (1, 1)))),
        Shape("c", Points(((0, 0),))),
        Shape("d", Points(((0, 0), (2, 2)))),
        Shape("e", Mask(ring, 5, 5)),
        Shape("f", Circle(5, 5, 2)),
        Shape("g", Rectangle(0, 0, 1, 1)),
        Shape("h", Tag()),
        Shape("i", Cuboid(((0.0, 0.0),) * 8)),
    )
    lost = write([AnnotatedImage("a.jpg", shapes=shapes)], tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    kinds = [feature["geometry"] and feature["geometry"]["type"] for feature in features]
    assert kinds == ["MultiPolygon", "LineString", "Point", "MultiPoint", "Polygon", "Polygon", "Polygon", None]
    assert len(features[4]["geometry"]["coordinates"]) == 2
    assert lost.count("changed") == 3 and lost.count("dropped", "cuboid") == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(images((Polygon, Rectangle, Mask, Points, Polyline, Skeleton, Tag)))
def test_anything_is_json(tmp_path: Path, document: AnnotatedImage) -> None:
    write_annotations([document], tmp_path / "a.geojson", tool="geojson")
    value = json.loads((tmp_path / "a.geojson").read_text())
    assert [feature["properties"]["label"] for feature in value["features"]] == [s.label for s in document.shapes]


def test_only_written(tmp_path: Path) -> None:
    from intarsia.annotations import open_annotations

    with pytest.raises(DataError, match="no annotations to write"):
        write([], tmp_path / "a.geojson")
    (tmp_path / "b.geojson").write_text("{}")
    with pytest.raises(UsageError, match="geojson files are only written"):
        open_annotations(tmp_path / "b.geojson", tool="geojson")
