"""Regions of a label map, traced band by band: those of GDAL's polygoniser, however the rows are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intarsia.media import regions
from intarsia.media.regions import Region, trace

Shape = tuple[int, list[list[tuple[int, int]]]]


def cut(labels: NDArray[np.uint8], rows: int) -> list[Region]:
    return list(trace(labels[top : top + rows] for top in range(0, len(labels), rows)))


def shape(label: int, rings: list[list[tuple[int, int]]]) -> Shape:
    """A region's label and the corners of its rings, in whatever order; a ring meets no corner twice."""
    return label, sorted(sorted(ring) for ring in rings)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), waiting=st.sampled_from((1, 20, 1 << 20)))
def test_regions_are_those_of_gdal(seed: int, rows: int, waiting: int) -> None:
    """Holes, touching corners, and regions that are finished early, late, or several times left open."""
    features = pytest.importorskip("rasterio.features", reason="GDAL comes with intarsia[geo]")
    random = np.random.default_rng(seed)
    height, width, classes = random.integers(1, 14), random.integers(1, 14), random.integers(1, 5)
    labels = random.integers(0, classes, (height, width)).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "_WAITING", waiting)
        found = cut(labels, rows)
    mine = [shape(one.label, [list(map(tuple, ring.tolist())) for ring in one.rings]) for one in found]
    expected = [
        shape(int(value), [[(int(x), int(y)) for x, y in ring[:-1]] for ring in polygon["coordinates"]])
        for polygon, value in features.shapes(labels)
    ]
    assert sorted(mine) == sorted(expected)
    for one in found:
        assert one.areas[0] - sum(one.areas[1:]) == one.pixels
    assert sum(one.pixels for one in found) == labels.size


def test_outer_rings_go_one_way_and_holes_the_other() -> None:
    """As GeoJSON has it (RFC 7946, 3.1.6), on a map whose rows go south."""
    labels = np.zeros((5, 5), np.uint8)
    labels[2, 2] = 1
    outer = next(one for one in cut(labels, 2) if one.label == 0)
    assert outer.areas == [25.0, 1.0]
    turns = [sum(x * b - a * y for (x, y), (a, b) in zip(r, np.roll(r, -1, 0), strict=True)) for r in outer.rings]
    assert turns[0] < 0 < turns[1]


def test_two_corners_that_touch_are_two_regions() -> None:
    labels = np.array([[0, 1], [1, 0]], np.uint16)
    assert sorted((one.label, one.pixels, len(one.rings)) for one in cut(labels, 1)) == [
        (0, 1, 1), (0, 1, 1), (1, 1, 1), (1, 1, 1),
    ]  # fmt: skip


def test_a_map_without_rows_has_no_regions() -> None:
    assert list(trace([])) == []
