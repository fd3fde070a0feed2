"""Activations that train out of place give the same values and gradients, without a copy of their input."""

import copy

import pytest
import torch
from torch import nn

from intarsia.training.loop.activations import use_fast_activations


@pytest.mark.parametrize("kind", [nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Mish, nn.ReLU])
def test_values_and_gradients_stay_the_same(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), kind(inplace=True), nn.Conv2d(4, 2, 1)).double()
    fast = copy.deepcopy(plain)
    use_fast_activations(fast)
    x = 4 * torch.randn(2, 3, 5, 7, dtype=torch.double)
    results = []
    for network in (plain, fast):
        given = x.clone().requires_grad_()
        out = network(given)
        out.square().sum().backward()
        results.append([out.detach(), given.grad, *(parameter.grad for parameter in network.parameters())])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)


def test_only_what_would_be_copied_changes() -> None:
    network = nn.Sequential(nn.ReLU6(inplace=True), nn.Hardswish(inplace=True), nn.ReLU(inplace=True), nn.Sigmoid())
    use_fast_activations(network)
    assert [getattr(module, "inplace", None) for module in network] == [False, False, True, None]
