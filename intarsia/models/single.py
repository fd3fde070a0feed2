"""Networks that bear maps of a single value per channel."""

from __future__ import annotations

import sys

from torch import nn

from intarsia.models.layers import PooledNorm


def bear_single_values(model: nn.Module) -> None:
    """Switch every batch-norm of a network of pictures to its form as `PooledNorm`, in place; weights and names stay.

    Small pictures and strong pooling leave one cell of a map, anywhere in an encoder or decoder.
    """
    forms: dict[type, type] = {nn.BatchNorm2d: PooledNorm}
    if "timm" in sys.modules:  # else the network has none of its layers
        from timm.layers.norm_act import BatchNormAct2d

        from intarsia.models.normact import PooledNormAct

        forms[BatchNormAct2d] = PooledNormAct
    for module in model.modules():
        module.__class__ = forms.get(type(module), type(module))
