"""Networks without values: what they are made of is that of others, and what has a memory is filled."""

from __future__ import annotations

import pytest
import torch
from small import SMALL, small
from torch import nn

from intarsia.models import build
from intarsia.models.shapes import shapes_only


@pytest.mark.parametrize("name", sorted(SMALL))
def test_names_shapes_and_kinds_are_those_of_a_network_with_values(name: str) -> None:
    torch.manual_seed(0)
    real = small(name)
    with shapes_only():
        made = build(name, classes=3, **SMALL[name])
    expected, found = ({key: (one.shape, one.dtype) for key, one in net.state_dict().items()} for net in (real, made))
    assert found == expected
    learnt, told = ([one.requires_grad for one in net.parameters()] for net in (real, made))
    assert learnt == told and all(one.is_meta for one in made.parameters())


def test_what_has_a_memory_gets_its_values() -> None:
    with shapes_only():
        layer, held = nn.Linear(2, 3), torch.zeros(4, device="cpu")
        assert layer.weight.is_meta and not held.is_meta
        assert nn.init.constant_(held, 3.0).tolist() == held.tolist() == [3.0] * 4
        assert held.add_(1).mul_(2).tolist() == [8.0] * 4
        assert nn.init.normal_(tensor=layer.bias) is layer.bias
    assert not nn.Linear(2, 3).weight.is_meta, "only inside"
