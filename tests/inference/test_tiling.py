from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.inference.pictures.tiling import UNIT, exact_overlap, final_cells, join_tiles, spans, taper


def test_spans_values() -> None:
    assert spans(100, 128, 32) == [(0, 100)]
    assert spans(159, 128, 32) == [(0, 159)]
    assert spans(160, 128, 32) == [(0, 128), (32, 160)]
    assert spans(400, 128, 32) == [(0, 128), (64, 192), (160, 288), (256, 400)]


@given(st.integers(1, 5000), st.integers(2, 12), st.integers(0, 6))
def test_spans_cover_with_the_overlap(length: int, tile_units: int, overlap_units: int) -> None:
    tile, overlap = tile_units * UNIT, min(overlap_units, tile_units // 2) * UNIT
    found = spans(length, tile, overlap)
    assert found[0][0] == 0 and found[-1][1] == length
    assert all(start % UNIT == 0 for start, _ in found)
    assert all(stop - start < tile + UNIT for start, stop in found)
    assert all(before[1] - after[0] >= overlap for before, after in itertools.pairwise(found))


@given(st.integers(1, 3000), st.sampled_from([2, 4, 8]), st.sampled_from([(128, 0), (128, 32), (256, 128), (768, 128)]))
def test_weights_never_vanish(length: int, stride: int, geometry: tuple[int, int]) -> None:
    found = spans(length, *geometry)
    total = np.zeros(-(-length // stride))
    for span in found:
        weights = taper(span, length, geometry[1], stride)
        total[span[0] // stride : span[0] // stride + len(weights)] += weights
    assert total.min() > 0
    assert sum(final_cells(found, stride)) == len(total)


def test_taper_values() -> None:
    inner = taper((64, 192), 400, 32, 4)
    assert inner[:2].tolist() == [0, 0]
    assert inner[2:6].tolist() == pytest.approx([0.0381, 0.3087, 0.6913, 0.9619], abs=1e-4)
    assert inner[6:-6].tolist() == [1] * 20
    assert np.array_equal(inner, inner[::-1])
    assert taper((0, 128), 400, 32, 4)[:20].tolist() == [1] * 20


def test_overlap_and_taper_of_a_network_with_a_margin() -> None:
    assert [exact_overlap(*case) for case in ((0, 4), (1, 1), (16, 1), (107, 1), (107, 8), (107, 32))] == [
        0, 32, 32, 224, 224, 256,
    ]  # fmt: skip
    inner = taper((64, 576), 1000, 224, 1, margin=107)
    assert inner.tolist() == [0] * 107 + [1] * 298 + [0] * 107
    assert taper((0, 512), 1000, 224, 8, margin=107).tolist() == [1] * 50 + [0] * 14


@given(st.integers(1, 3000), st.sampled_from([1, 2, 8, 32]), st.integers(1, 130))
def test_with_a_margin_every_output_lies_inside_some_tile(length: int, stride: int, margin: int) -> None:
    overlap = exact_overlap(margin, stride)
    total = np.zeros(-(-length // stride))
    for span in spans(length, 2 * overlap, overlap):
        weights = taper(span, length, overlap, stride, margin)
        total[span[0] // stride : span[0] // stride + len(weights)] += weights
    assert total.min() >= 1


@pytest.mark.parametrize("size", [(97, 203), (64, 300), (500, 90)])
def test_constant_logits_have_no_seam(size: tuple[int, int]) -> None:
    rows, columns = spans(size[0], 64, 32), spans(size[1], 64, 32)
    windows = [np.zeros((bottom - top, size[1], 3), np.uint8) for top, bottom in rows]

    def network(pixels: np.ndarray, *_: object) -> np.ndarray:
        return np.full((1, 2, -(-pixels.shape[0] // 4), -(-pixels.shape[1] // 4)), 0.3, np.float32)

    joined = np.concatenate(list(join_tiles(iter(windows), rows, columns, 32, 4, network)), axis=2)
    assert joined.shape == (1, 2, -(-size[0] // 4), -(-size[1] // 4))
    assert np.abs(joined - 0.3).max() < 1e-6
