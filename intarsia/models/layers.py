"""Pieces that several architectures share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_norm_act(inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1) -> nn.Sequential:
    """Size-keeping convolution, batch-norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable_conv(inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1) -> nn.Sequential:
    """Atrous depthwise convolution, then a pointwise one, batch-norm and ReLU (DeepLabv3+, section 3.1)."""
    return nn.Sequential(
        nn.Conv2d(
            inputs, inputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=inputs, bias=False
        ),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ImagePooling(nn.Module):
    """Image-level features (DeepLabv3, section 3.3): global average, 1x1 convolution, back to the map's size.

    A batch of one has one value per channel here, of which batch statistics do not exist; the layer then
    normalises with its running statistics instead of failing.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.conv(x.mean(dim=(2, 3), keepdim=True))
        if self.training and pooled.shape[0] == 1:
            norm = self.norm
            pooled = F.batch_norm(pooled, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        else:
            pooled = self.norm(pooled)
        return F.relu(pooled).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling (DeepLabv3, section 3.3): 1x1, one 3x3 per rate, image pooling; projected.

    Args:
        inputs: channels of the deepest map.
        outputs: channels of each branch and of the result.
        rates: dilation of each 3x3 branch.
        separable: atrous separable 3x3 branches (DeepLabv3+).
        dropout: rate after the projection.
    """

    def __init__(
        self, inputs: int, outputs: int, rates: Sequence[int], *, separable: bool = False, dropout: float = 0.1
    ) -> None:
        super().__init__()
        branch = separable_conv if separable else conv_norm_act
        self.branches = nn.ModuleList(
            [
                conv_norm_act(inputs, outputs, 1),
                *(branch(inputs, outputs, dilation=rate) for rate in rates),
                ImagePooling(inputs, outputs),
            ]
        )
        self.project = conv_norm_act(len(self.branches) * outputs, outputs, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.dropout(self.project(torch.cat([branch(x) for branch in self.branches], dim=1)))
        return projected


def resize(x: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """Bilinear resize of (N, C, H, W) to (N, C, *size)."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=align_corners)
