"""1x1 convolutions that train fast on one CPU thread, as matrix products.

With a single thread (`torchrun` gives its processes no more) and fewer than 16 pictures torch takes float32 1x1
convolutions away from oneDNN and copies every map into another order first. Of a channels-last map such a convolution
is a matrix product as it lies.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 ``nn.Conv2d`` (same weights, same results) as a matrix product when it trains on one CPU thread."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or torch.get_num_threads() > 1 or input.device.type != "cpu":
            return super().forward(input)
        if torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)  # its gradient is then channels-last, as the weight is
        return F.linear(input.permute(0, 2, 3, 1), weight, self.bias).permute(0, 3, 1, 2)


def use_fast_pointwise(model: nn.Module) -> None:
    """Switch every plain 1x1 convolution of `model` to `PointwiseConv2d`, in place."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain_pointwise(module):
            module.__class__ = PointwiseConv2d


def _is_plain_pointwise(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == conv.stride == (1, 1) and conv.padding in ((0, 0), "valid") and conv.groups == 1
