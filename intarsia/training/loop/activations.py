"""Activations that train fast: out of place where working in place costs a copy."""

from __future__ import annotations

from torch import nn

_COPYING = (nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.SiLU, nn.Mish)  # ReLU6 is a hardtanh
"""Their gradients need the input, of which autograd makes a copy if it is written over."""


def use_fast_activations(model: nn.Module) -> None:
    """Let every such activation of `model` give a new map, in place; values and gradients stay the same."""
    for module in model.modules():
        if isinstance(module, _COPYING) and getattr(module, "inplace", False):
            module.inplace = False
