"""Timm's batch-norm with its activation. A module of its own: loading timm takes longer than loading torch."""

from __future__ import annotations

from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor

from intarsia.models.layers import by_running_statistics, is_single_value


class PooledNormAct(BatchNormAct2d):
    """`PooledNorm` with timm's activation behind it."""

    def forward(self, x: Tensor) -> Tensor:
        if is_single_value(self, x):
            out: Tensor = self.act(self.drop(by_running_statistics(self, x)))
        else:
            out = super().forward(x)  # type: ignore[no-untyped-call]
        return out
