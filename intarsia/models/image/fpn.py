"""The semantic branch of panoptic feature pyramid networks."""

from __future__ import annotations

from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.layers import Interpolation, enlarge, one_of, resize
from intarsia.models.registry import register

Merge = Literal["add", "cat"]

_FINEST = 4
_GROUPS = 32


class GroupNormReLU(nn.GroupNorm):
    """Group norm and ReLU; unlike PyTorch's, of a single value in each group too, which becomes the bias."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps).relu_()


class FPN(ImageModel):
    """A feature pyramid, and a branch of each level to the finest one's resolution, merged; see `fpn`."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        channels: int,
        branch_channels: int,
        merge: Merge,
        up: Interpolation,
        dropout: float,
        align_corners: bool,
    ) -> None:
        super().__init__()
        self._merge = one_of("merge", merge, get_args(Merge))
        self._up = one_of("up", up, get_args(Interpolation))
        if branch_channels % _GROUPS:
            raise ModelError(f"branch_channels must be a multiple of {_GROUPS} (groups of the norms)")
        self.align_corners = align_corners
        self.encoder = encoder
        self._strides = sorted((stage for stage in encoder.channels if stage >= _FINEST), reverse=True)
        self.laterals = nn.ModuleList(nn.Conv2d(encoder.channels[stage], channels, 1) for stage in self._strides)
        steps = range(len(self._strides) - 1, -1, -1)  # to the finest level; that one has a convolution as well
        self.branches = nn.ModuleList(_branch(channels, branch_channels, max(1, count)) for count in steps)
        self.dropout = nn.Dropout2d(dropout)
        width = branch_channels * (1 if merge == "add" else len(self._strides))
        self.head = nn.Conv2d(width, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        pyramid: list[Tensor] = []
        for stride, lateral in zip(self._strides, self.laterals, strict=True):
            here = lateral(maps[stride])
            pyramid.append(here + enlarge(pyramid[-1], here.shape[2:], self._up) if pyramid else here)
        sizes = [level.shape[2:] for level in pyramid]
        branches = []
        for index, (level, branch) in enumerate(zip(pyramid, self.branches, strict=True)):
            for convolution, size in zip(branch.children(), sizes[index + 1 :] or sizes[-1:], strict=True):
                level = resize(convolution(level), size, align_corners=self.align_corners)
            branches.append(level)
        merged = reduce(torch.add, branches) if self._merge == "add" else torch.cat(branches, dim=1)
        out: Tensor = self.head(self.dropout(merged))
        return out


def _branch(inputs: int, outputs: int, count: int) -> nn.ModuleList:
    convolutions = nn.ModuleList()
    for width in [inputs] + [outputs] * (count - 1):
        convolutions.append(
            nn.Sequential(nn.Conv2d(width, outputs, 3, padding=1, bias=False), GroupNormReLU(_GROUPS, outputs))
        )
    return convolutions


@register(paper="Kirillov et al. 2019, Panoptic Feature Pyramid Networks, arXiv:1901.02446")
def fpn(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    channels: int = 256,
    branch_channels: int = 128,
    merge: Merge = "add",
    up: Interpolation = "nearest",
    dropout: float = 0.0,
    drop_path: float = 0.0,
    align_corners: bool = False,
) -> ImageModel:
    """Semantic FPN: a feature pyramid whose levels are brought to stride 4 and added, over any encoder.

    Its norms are of groups, so that the decoder does not depend on the batch. The pyramid has no 3x3 convolutions of
    its own, as in smp, since each branch begins with one. smp's form has a dropout of 0.2 and align_corners.

    Args:
        classes: number of output channels.
        encoder: encoder name; its maps from stride 4 on are used.
        in_channels: channels of the input.
        channels: width of the pyramid.
        branch_channels: width of the branches, a multiple of 32.
        merge: "add" (the paper) or "cat" the branches.
        up: how a level of the pyramid is enlarged to meet the next: "nearest" or "bilinear".
        dropout: share of channels that are dropped before the classifier in training.
        drop_path: stochastic depth of the encoder.
        align_corners: the convention of resizing branches and logits.
    """
    return FPN(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        branch_channels=branch_channels,
        merge=merge,
        up=up,
        dropout=dropout,
        align_corners=align_corners,
    )
