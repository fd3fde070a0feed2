"""Neighbourhood operators against brute force, on random points and on the points that break them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from intarsia.errors import UsageError
from intarsia.models.cloud import neighbours
from intarsia.models.cloud.neighbours import ball, farthest_points, interpolation, nearest, ring

pytest.importorskip("scipy")


def points(batch: int, count: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, count, 3, generator=torch.Generator().manual_seed(seed))


def distances(query: Tensor, xyz: Tensor) -> Tensor:
    return (query.double()[:, :, None] - xyz.double()[:, None]).norm(dim=-1)


@pytest.mark.parametrize("library", [True, False])
def test_every_sampled_point_is_a_farthest_one(library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library:
        pytest.importorskip("fpsample")
    else:
        monkeypatch.setattr(neighbours.importlib.util, "find_spec", lambda name: None)
    xyz = points(3, 500)
    picked = farthest_points(xyz, 60)
    for cloud, order in zip(xyz.double(), picked, strict=True):
        assert len(order.unique()) == 60
        far = torch.cdist(cloud, cloud)
        for step in range(1, 60):
            reach = far[:, order[:step]].amin(1)
            assert reach[order[step]] >= reach.max() - 1e-6


def test_farthest_points_of_few_or_equal_points() -> None:
    xyz = points(1, 300)
    order = torch.randperm(300)
    assert torch.equal(order[farthest_points(xyz[:, order], 40)], farthest_points(xyz, 40))
    assert farthest_points(points(1, 1), 1).tolist() == [[0]]
    assert sorted(farthest_points(points(1, 5), 5)[0].tolist()) == [0, 1, 2, 3, 4]
    same = farthest_points(torch.zeros(2, 40, 3), 7)
    assert same.shape == (2, 7)
    assert ((same >= 0) & (same < 40)).all()
    with pytest.raises(UsageError, match="cannot sample 6 of 5"):
        farthest_points(points(1, 5), 6)


@pytest.mark.parametrize("search", ["_by_tree", "_by_distances"])
@pytest.mark.parametrize(("inner", "outer"), [(0.0, float("inf")), (0.0, 0.2), (0.15, 0.3), (0.05, 0.06)])
def test_search_against_all_distances(search: str, inner: float, outer: float) -> None:
    query, xyz = points(2, 50, 1), points(2, 400, 2)
    _, found = getattr(neighbours, search)(query, xyz, inner, outer, 12)
    every = distances(query, xyz)
    expected = every.masked_fill((every < inner) | (every >= outer), torch.inf).sort(-1).values[..., :12]
    assert torch.allclose(found.double(), expected, atol=1e-6)


def test_indices_belong_to_the_distances() -> None:
    query, xyz = points(2, 50, 1), points(2, 400, 2)
    index, distance = nearest(query, xyz, 5)
    assert torch.allclose(distances(query, xyz).gather(2, index), distance.double(), atol=1e-9)
    assert (distance.diff(dim=-1) >= 0).all()


def test_clouds_smaller_than_k_repeat_their_nearest() -> None:
    xyz = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]])
    index, _ = nearest(torch.tensor([[[0.9, 0, 0]]]), xyz, 4)
    assert index.tolist() == [[[1, 0, 1, 1]]]


def test_ball_is_filled_up_with_the_nearest() -> None:
    xyz = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0], [0.3, 0, 0], [9, 0, 0]]])
    index, found = ball(torch.tensor([[[0.01, 0, 0], [5.0, 0, 0]]]), xyz, 0.2, 3)
    assert index.tolist() == [[[0, 1, 0], [3, 3, 3]]]  # nothing is near the second: the nearest of all
    assert found.tolist() == [[2, 0]]


def test_rings_do_not_overlap_and_include_their_inner_radius() -> None:
    xyz = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]])
    query = torch.zeros(1, 1, 3)
    first, second = ring(query, xyz, 0.0, 1.0, 3), ring(query, xyz, 1.0, 3.0, 3)
    assert (first[0].tolist(), first[1].item()) == ([[[0, 0, 0]]], 1)
    assert (second[0].tolist(), second[1].item()) == ([[[1, 2, 1]]], 2)
    empty, none = ring(query, xyz, 5.0, 6.0, 2)
    assert (empty.tolist(), none.item()) == ([[[-1, -1]]], 0)
    with pytest.raises(UsageError, match="inner < outer"):
        ring(query, xyz, 2.0, 1.0, 3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), inner=st.floats(0, 0.5), width=st.floats(0.01, 0.5))
def test_rings_against_brute_force(seed: int, count: int, inner: float, width: float) -> None:
    # A coarse grid: many equal distances and points in one place.
    xyz = (points(1, count, seed) * 4).round() / 4
    query = xyz[:, : max(1, count // 2)]
    index, found = ring(query, xyz, inner, inner + width, 8)
    every = distances(query, xyz)[0]
    for row, (chosen, number) in enumerate(zip(index[0], found[0].tolist(), strict=True)):
        inside = every[row][(every[row] >= inner) & (every[row] < inner + width)].sort().values
        assert number == min(8, len(inside))
        if number:
            assert torch.allclose(every[row][chosen[:number]], inside[:number])
            assert len(chosen[:number].unique()) == number
            assert (chosen[number:] == chosen[0]).all()


def test_interpolation_by_hand() -> None:
    xyz = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [50, 0, 0]]])
    index, weight = interpolation(torch.tensor([[[1.0, 0, 0], [3, 0, 0]]]), xyz)
    squares = np.array([1, 4, 17])  # to the points 0, 1 and 2
    assert index[0, 0].tolist() == [0, 1, 2]
    assert np.allclose(weight[0, 0], (1 / squares) / (1 / squares).sum())
    assert index[0, 1, 0] == 1
    assert weight[0, 1, 0] == pytest.approx(1, abs=1e-9)
