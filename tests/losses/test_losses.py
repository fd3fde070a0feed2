"""Losses against hand-computed numbers and brute-force oracles."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import UsageError
from intarsia.losses import CrossEntropy, Dice, WeightedSum, build_loss, loss_names

LN2, LN4 = math.log(2), math.log(4)


def logits_of(*pixels: list[float]) -> torch.Tensor:
    """Rows of class probabilities -> logits (1, C, 1, pixels)."""
    return torch.tensor(pixels).T[None, :, None].log()


@pytest.mark.parametrize(
    ("weights", "probabilities", "target", "expected"),
    [
        (None, [[0.5, 0.5]], [0], LN2),
        (None, [[0.5, 0.5], [0.25, 0.75]], [0, 0], (LN2 + LN4) / 2),
        (None, [[0.5, 0.5], [0.25, 0.75]], [0, 255], LN2),
        (None, [[0.5, 0.5], [0.25, 0.75]], [255, 255], 0.0),
        ([1.0, 3.0], [[0.5, 0.5], [0.75, 0.25]], [0, 1], (LN2 + 3 * LN4) / 4),
        ([1.0, 3.0], [[0.5, 0.5], [0.75, 0.25]], [255, 1], LN4),
        ([0.0, 3.0], [[0.5, 0.5]], [0], 0.0),
    ],
)
def test_cross_entropy_table(weights, probabilities, target, expected):
    loss = CrossEntropy(class_weights=weights)(logits_of(*probabilities), torch.tensor([[target]]))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "target", "smooth", "expected"),
    [
        # class 0: 1 - 2 * 1 / (1 + 1) = 0, class 1 likewise
        ([[1.0, 1e-9], [1e-9, 1.0]], [0, 1], 0.0, 0.0),
        # class 0: overlap .5 + .25, p-sum .75, count 2 -> 1 - 1.5 / 2.75; class 1 absent, left out
        ([[0.5, 0.5], [0.25, 0.75]], [0, 0], 0.0, 1 - 1.5 / 2.75),
        # the ignored pixel takes its probabilities with it
        ([[0.5, 0.5], [0.25, 0.75]], [0, 255], 0.0, 1 - 1.0 / 1.5),
        ([[0.5, 0.5], [0.25, 0.75]], [0, 0], 1.0, 1 - 2.5 / 3.75),
        # both present: class 0: 1 - 1 / 1.5; class 1: 1 - 1.5 / (1.25 + 1)
        ([[0.5, 0.5], [0.25, 0.75]], [0, 1], 0.0, ((1 - 1 / 1.75) + (1 - 1.5 / 2.25)) / 2),
        ([[0.5, 0.5]], [255], 1.0, 0.0),
    ],
)
def test_dice_table(probabilities, target, smooth, expected):
    loss = Dice(smooth=smooth)(logits_of(*probabilities), torch.tensor([[target]]))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def dice_oracle(logits, target, smooth):
    probabilities = logits.softmax(1)
    scores = []
    for index in range(logits.shape[1]):
        overlap = total = count = 0.0
        for n in range(len(target)):
            for place, label in enumerate(target[n].reshape(-1).tolist()):
                if label == 255:
                    continue
                p = probabilities[n, index].reshape(-1)[place].item()
                total += p
                if label == index:
                    overlap += p
                    count += 1
        if count:
            scores.append(1 - (2 * overlap + smooth) / (total + count + smooth))
    return sum(scores) / len(scores) if scores else 0.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), classes=st.integers(1, 5), shape=st.sampled_from([(4,), (3, 4), (2, 2, 3)]))
def test_dice_and_cross_entropy_equal_brute_force_in_any_dimension(seed, classes, shape):
    torch.manual_seed(seed)
    logits = torch.randn(2, classes, *shape)
    target = torch.randint(classes, (2, *shape))
    target[torch.rand(target.shape) < 0.3] = 255
    assert Dice(smooth=1.0)(logits, target).item() == pytest.approx(dice_oracle(logits, target, 1.0), abs=1e-5)
    weights = torch.rand(classes) + 0.1
    log_p = logits.log_softmax(1)
    total = mass = 0.0
    for n in range(2):
        for place, label in enumerate(target[n].reshape(-1).tolist()):
            if label != 255:
                total -= weights[label].item() * log_p[n, label].reshape(-1)[place].item()
                mass += weights[label].item()
    expected = total / mass if mass else 0.0
    assert CrossEntropy(class_weights=weights.tolist())(logits, target).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", loss_names())
def test_every_loss_has_zero_value_and_gradient_without_valid_elements(name):
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = build_loss(name, ignore_index=255, options={})(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("name", loss_names())
def test_ignored_elements_change_nothing(name):
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 2, 6)
    target = torch.randint(3, (1, 2, 6))
    loss = build_loss(name, ignore_index=255, options={})
    expected = loss(logits, target)
    more_logits = torch.cat([logits, 100 * torch.randn(1, 3, 2, 6)], dim=3)
    more_target = torch.cat([target, torch.full((1, 2, 6), 255)], dim=2)
    assert torch.allclose(loss(more_logits, more_target), expected, atol=1e-6)


@pytest.mark.parametrize("name", loss_names())
def test_gradients_are_right(name):
    torch.manual_seed(1)
    logits = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[[0, 1, 2], [255, 1, 0]]])
    loss = build_loss(name, ignore_index=255, options={})
    assert torch.autograd.gradcheck(lambda x: loss.compute(x, target), (logits,))


@pytest.mark.parametrize("name", loss_names())
def test_sums_are_float32_under_autocast(name):
    logits = torch.randn(1, 3, 64, 64)
    target = torch.randint(3, (1, 64, 64), dtype=torch.uint8)
    loss = build_loss(name, ignore_index=255, options={})
    expected = loss(logits.bfloat16().float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(logits.bfloat16(), target)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_weighted_sum():
    torch.manual_seed(0)
    logits, target = torch.randn(1, 2, 3, 3), torch.randint(2, (1, 3, 3))
    expected = 2 * CrossEntropy()(logits, target) + 0.5 * Dice()(logits, target)
    assert torch.allclose(WeightedSum([(2.0, CrossEntropy()), (0.5, Dice())])(logits, target), expected)


def test_cross_entropy_equals_torch():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 4, 5, 5), torch.randint(4, (2, 5, 5))
    target[0, :2] = 255
    weights = torch.rand(4)
    expected = torch.nn.functional.cross_entropy(logits, target, weight=weights, ignore_index=255)
    assert torch.allclose(CrossEntropy(class_weights=weights.tolist())(logits, target), expected)


def test_errors_suggest():
    with pytest.raises(UsageError, match=r"no loss is named 'dise'. Did you mean 'dice'"):
        build_loss("dise", ignore_index=255, options={})
    with pytest.raises(UsageError, match=r"has no option 'smoth'. Did you mean 'smooth'"):
        build_loss("dice", ignore_index=255, options={"smoth": 1})
    with pytest.raises(ValueError, match=r"\(2, 4, 4\) does not fit logits of shape \(2, 3, 4, 5\)"):
        Dice()(torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 4))
