"""Weighted sums and weights that change."""

import pytest
import torch

from intarsia.losses import Boundary, CrossEntropy, Dice, HausdorffDT, Ramp, WeightedSum, join_maps


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(2, 3, 6, 8, requires_grad=True), torch.randint(3, (2, 6, 8))


@pytest.mark.parametrize(
    ("ramp", "weights"),
    [
        (Ramp(0, 1), [0, 0.25, 0.5, 1]),
        (Ramp(1, 0.2), [1, 0.8, 0.6, 0.2]),
        (Ramp(0, 2, 0.25, 0.75), [0, 0, 1, 2]),
        (Ramp(3, 7, 0.5, 0.5), [3, 3, 7, 7]),
        (Ramp(0, 1, 0, 0.5), [0, 0.5, 1, 1]),
    ],
)
def test_ramps(ramp, weights):
    assert [ramp.at(progress) for progress in (0, 0.25, 0.5, 1)] == pytest.approx(weights)


def test_terms_are_weighted_and_summed(batch):
    expected = 2 * CrossEntropy()(*batch) + 0.5 * Dice()(*batch)
    assert torch.allclose(WeightedSum([(2.0, CrossEntropy()), (0.5, Dice())])(*batch), expected)


def test_weights_follow_the_progress_and_end_where_it_is_not_told(batch):
    loss = WeightedSum([(Ramp(1, 0.5), Dice()), (Ramp(0, 0.1, 0.5), Boundary())])
    region, boundary = Dice()(*batch), Boundary()(*batch)
    assert torch.allclose(loss(*batch, progress=0.0), region)
    assert torch.allclose(loss(*batch, progress=0.75), 0.625 * region + 0.05 * boundary)
    assert torch.equal(loss(*batch), loss(*batch, progress=1.0))
    assert torch.allclose(loss(*batch), 0.5 * region + 0.1 * boundary)


def test_a_term_without_weight_is_not_computed(batch):
    logits, target = batch

    class Never(Dice):
        def compute(self, logits, target, maps):
            raise AssertionError("computed")

    loss = WeightedSum([(1.0, Dice()), (Ramp(0, 1, 0.5), Never())])
    assert torch.allclose(loss(logits, target, progress=0.5), Dice()(logits, target))
    nothing = WeightedSum([(0.0, Never())])(logits, target)
    nothing.backward()
    assert nothing == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_each_term_gets_its_own_maps(batch):
    logits, target = batch
    loss = WeightedSum([(1.0, Boundary()), (1.0, Dice()), (1.0, HausdorffDT(one_sided=True))])
    maps = join_maps([loss.maps(sample) for sample in target])
    assert set(maps) == {f"{term}.{name}" for term in (0, 2) for name in ("classes", "count", "distance")}
    assert torch.equal(loss(logits, target, maps), loss(logits, target))
    assert not torch.equal(maps["0.distance"], maps["2.distance"])
