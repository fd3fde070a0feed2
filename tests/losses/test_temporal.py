"""The loss of consistency over time."""

from __future__ import annotations

import math

import pytest
import torch

from intarsia.losses.temporal import confidence, temporal_consistency


def test_by_hand() -> None:
    logits = torch.tensor([[[[1.0, 5.0]], [[3.0, 0.0]]]])
    moved = torch.tensor([[[[0.0, 0.0]], [[0.0, 0.0]]]])
    everywhere = torch.ones(1, 1, 1, 2)
    assert float(temporal_consistency(logits, moved, everywhere)) == pytest.approx((5 + 12.5) / 2)
    left = torch.tensor([[[[1.0, 0.0]]]])
    assert float(temporal_consistency(logits, moved, left)) == pytest.approx(5)
    assert float(temporal_consistency(logits, logits, everywhere)) == 0


def test_nothing_to_trust_gives_nothing_and_a_zero_gradient() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss = temporal_consistency(logits, torch.randn(1, 2, 3, 3), torch.zeros(1, 1, 3, 3))
    loss.backward()
    assert float(loss) == 0 and float(logits.grad.abs().sum()) == 0


def test_confidence_falls_with_the_difference() -> None:
    frame = torch.zeros(1, 3, 1, 2)
    moved = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    assert confidence(frame, moved)[0, 0, 0].tolist() == pytest.approx([1, math.exp(-3)])


def test_gradients() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 2, 2, 3, requires_grad=True)
    moved = torch.randn(1, 2, 2, 3, requires_grad=True)
    weight = torch.rand(1, 1, 2, 3) + 0.5
    temporal_consistency(logits, moved, weight).backward()
    expected = 2 * weight * (logits - moved) / 2 / weight.sum()
    assert torch.allclose(logits.grad, expected, atol=1e-6) and torch.allclose(moved.grad, -expected, atol=1e-6)
