"""Pieces that several architectures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, suggest


def conv_norm_act(inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1) -> nn.Sequential:
    """Size-keeping convolution, batch-norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable_conv(
    inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1, depthwise_norm: bool
) -> nn.Sequential:
    """Atrous depthwise convolution, then a pointwise one, batch-norm and ReLU (DeepLabv3+, section 3.1).

    Args:
        inputs: channels of the map.
        outputs: channels of the result.
        kernel: side of the depthwise kernel.
        dilation: its rate.
        depthwise_norm: batch-norm and ReLU between the two convolutions too, as in DeepLabv3+'s published code.
    """
    depthwise: list[nn.Module] = [
        nn.Conv2d(
            inputs, inputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=inputs, bias=False
        )
    ]
    if depthwise_norm:
        depthwise += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*depthwise, *conv_norm_act(inputs, outputs, 1))


def score_conv(inputs: int, classes: int, kernel: int = 1, *, dilation: int = 1) -> nn.Conv2d:
    """Size-keeping convolution to class scores that starts as DeepLab's do: weights N(0, 0.01), biases 0."""
    conv = nn.Conv2d(inputs, classes, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def one_of(option: str, value: str, choices: Sequence[str]) -> str:
    """Give the value of an option back, or raise a ModelError that suggests the closest of `choices`."""
    if value not in choices:
        raise ModelError(f"{option} cannot be {value!r}.{suggest(value, choices)}")
    return value


def check_rates(rates: Sequence[int]) -> None:
    """Raise a ModelError unless `rates` can be the dilations of a pyramid's branches."""
    if not rates or min(rates) < 1:
        raise ModelError(f"rates are dilations of at least 1, at least one of them, not {list(rates)}")


def group_norm(channels: int) -> nn.GroupNorm:
    """Group-norm of 32 groups, or of pairs of channels if there are fewer: one value alone has no statistics."""
    return nn.GroupNorm(min(32, channels // 2), channels)


class PooledNorm(nn.BatchNorm2d):
    """Batch-norm of a map that may be a single value per channel, as pooled ones and those of small pictures are.

    A batch of one has no statistics there; the layer then normalises with its running ones instead of failing.
    """

    def forward(self, input: Tensor) -> Tensor:
        return by_running_statistics(self, input) if is_single_value(self, input) else super().forward(input)


def is_single_value(norm: nn.BatchNorm2d, x: Tensor) -> bool:
    """Tell whether a batch is a single value per channel, which has no statistics in training."""
    return norm.training and x.numel() == norm.num_features and norm.running_mean is not None


def by_running_statistics(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise a map by a batch-norm's running statistics, also in training."""
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class ImagePooling(nn.Module):
    """Image-level features (DeepLabv3, section 3.3): global average, 1x1 convolution, back to the map's size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = PooledNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.norm(self.conv(x.mean(dim=(2, 3), keepdim=True)))
        return F.relu(pooled).expand(-1, -1, *x.shape[2:])


_POOL_SIZES = (1, 2, 3, 6)


class PyramidPooling(nn.Module):
    """Averages over 1, 4, 9 and 36 regions joined to the map (Zhao et al. 2017, PSPNet, section 3.2).

    Args:
        inputs: channels of the map.
        outputs: channels of the result.
        width: channels of each pooled branch.
        kernel: side of the convolution that joins them.
        global_norm: batch-norm after the average over the whole map too; smp's PSPNet has a bias there instead.
        align_corners: how the averages are resized to the map.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        kernel: int = 3,
        global_norm: bool = True,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self._align_corners = align_corners
        self.branches = nn.ModuleList()
        for size in _POOL_SIZES:
            norm = global_norm or size > 1
            self.branches.append(
                nn.Sequential(
                    nn.AdaptiveAvgPool2d(size),
                    nn.Conv2d(inputs, width, 1, bias=not norm),
                    PooledNorm(width) if norm else nn.Identity(),
                    nn.ReLU(),
                )
            )
        self.project = conv_norm_act(inputs + len(_POOL_SIZES) * width, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [resize(branch(x), x.shape[2:], align_corners=self._align_corners) for branch in self.branches]
        projected: Tensor = self.project(torch.cat([x, *pooled], dim=1))
        return projected


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling (DeepLabv3, section 3.3): 1x1, one 3x3 per rate, image pooling; projected.

    Args:
        inputs: channels of the deepest map.
        outputs: channels of each branch and of the result.
        rates: dilation of each 3x3 branch.
        separable: atrous separable 3x3 branches (DeepLabv3+).
        depthwise_norm: see `separable_conv`.
        image_pooling: with the branch of image-level features.
        dropout: rate after the projection.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rates: Sequence[int],
        *,
        separable: bool = False,
        depthwise_norm: bool = True,
        image_pooling: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        branch = partial(separable_conv, depthwise_norm=depthwise_norm) if separable else conv_norm_act
        self.branches = nn.ModuleList(
            [
                conv_norm_act(inputs, outputs, 1),
                *(branch(inputs, outputs, dilation=rate) for rate in rates),
                *([ImagePooling(inputs, outputs)] if image_pooling else []),
            ]
        )
        self.project = conv_norm_act(len(self.branches) * outputs, outputs, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.dropout(self.project(torch.cat([branch(x) for branch in self.branches], dim=1)))
        return projected


class KSAC(nn.Module):
    """Kernel-sharing atrous convolution (Huang et al. 2019): an ASPP whose 3x3 branches share one kernel.

    Each rate has a batch-norm (and ReLU) of its own; 1x1 convolution, image pooling and projection are as in ASPP. The
    number of parameters grows with the number of rates by the batch-norms' alone, and a trained module works at other
    rates, as long as there are as many.

    Args:
        inputs: channels of the deepest map.
        outputs: channels of each branch and of the result.
        rates: dilations at which the kernel is applied.
        fuse: whether the maps of the rates are added ("sum") or concatenated ("concat") before the projection.
        dropout: rate after the projection.

    Raises:
        ModelError: another way to fuse.
    """

    def __init__(
        self, inputs: int, outputs: int, rates: Sequence[int], *, fuse: str = "sum", dropout: float = 0.1
    ) -> None:
        super().__init__()
        if fuse not in ("sum", "concat"):
            raise ModelError(f"fuse is 'sum' or 'concat', not {fuse!r}")
        self.rates, self.fuse = tuple(rates), fuse
        self.point = conv_norm_act(inputs, outputs, 1)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d starts
        self.norms = nn.ModuleList(nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)) for _ in self.rates)
        self.pooling = ImagePooling(inputs, outputs)
        self.project = conv_norm_act(((1 if fuse == "sum" else len(self.rates)) + 2) * outputs, outputs, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        shared = [
            norm(F.conv2d(x, self.weight, padding=rate, dilation=rate))
            for rate, norm in zip(self.rates, self.norms, strict=True)
        ]
        if self.fuse == "sum":
            shared = [reduce(torch.add, shared)]
        projected: Tensor = self.dropout(self.project(torch.cat([self.point(x), *shared, self.pooling(x)], dim=1)))
        return projected


class FCNHead(nn.Sequential):
    """3x3 convolution to a quarter of the channels, batch-norm, ReLU, dropout, 1x1 classifier (torchvision's FCN).

    Args:
        inputs: channels of the map.
        classes: number of output channels.
        dropout: rate before the classifier.
    """

    def __init__(self, inputs: int, classes: int, *, dropout: float = 0.1) -> None:
        width = inputs // 4
        super().__init__(*conv_norm_act(inputs, width), nn.Dropout(dropout), nn.Conv2d(width, classes, 1))


def bilinear_kernel(size: int) -> Tensor:
    """(size, size) weights of a transposed convolution that interpolates bilinearly (FCN, section 3.3).

    The stride that goes with it is f = (size + 1) // 2; the weights add up to f * f.
    """
    factor = (size + 1) // 2
    distance = (torch.arange(size) - (size - 1) / 2).abs()
    line = 1 - distance / factor
    return line[:, None] * line


class BilinearDeconv(nn.Module):
    """Upsampling by a transposed convolution of each channel with its own bilinear kernel (FCN, section 3.3).

    FCN's C x C x k x k kernel is zero between different channels; it is stored as C x 1 x k x k here, or not at all if
    it is fixed. Inside, the fixed layer equals ``interpolate(align_corners=False)``; in the outer ring of f / 2 pixels
    its values fall towards the zeros around the map.

    Args:
        channels: C, of input and output.
        factor: f, the stride; the kernel has k = 2 f - f % 2.
        padding: rows and columns cut off on each side: (N, C, h, w) -> (N, C, (h - 1) f + k - 2 padding, ...). With
            f // 2 the output of an even factor has the size f h.
        learned: train the kernels from their bilinear start.
    """

    weight: nn.Parameter | None

    def __init__(self, channels: int, factor: int, *, padding: int = 0, learned: bool = False) -> None:
        super().__init__()
        self.factor, self.padding = factor, padding
        self.kernel = 2 * factor - factor % 2
        self.weight = nn.Parameter(bilinear_kernel(self.kernel).repeat(channels, 1, 1, 1)) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        if self.weight is not None:
            # Always in float32: CPUs take five times as long over depthwise transposed convolutions in bfloat16.
            with torch.autocast("cpu", enabled=False):
                wide = F.conv_transpose2d(
                    x.float(), self.weight.float(), stride=self.factor, padding=self.padding, groups=x.shape[1]
                )
            return wide.to(x.dtype)
        # The same sums as interpolation of the map with zeros around it, which is several times faster on CPUs.
        wide = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=self.factor, mode="bilinear")
        start = (self.factor + 1) // 2 + self.padding
        height, width = ((side - 1) * self.factor + self.kernel - 2 * self.padding for side in x.shape[2:])
        return wide[:, :, start : start + height, start : start + width]


class GlobalConvolution(nn.Module):
    """A large kernel in the form of two crosses (GCN, section 3.1): k x 1 then 1 x k, plus 1 x k then k x 1.

    Nothing but biases lies between the convolutions, so that the block is one dense k x k convolution of low rank.

    Args:
        inputs: channels of the map.
        outputs: channels of the result, the number of classes in GCN.
        kernel: k, odd.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        column, row = (kernel, 1), (1, kernel)

        def conv(inputs: int, size: tuple[int, int]) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, size, padding=(size[0] // 2, size[1] // 2))

        self.column_row = nn.Sequential(conv(inputs, column), conv(outputs, row))
        self.row_column = nn.Sequential(conv(inputs, row), conv(outputs, column))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.column_row(x) + self.row_column(x)
        return out


class BoundaryRefinement(nn.Module):
    """A residual block that sharpens score maps at boundaries (GCN, section 3.2): two 3x3 convolutions, one ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.residual(x)
        return out


def resize(x: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """Bilinear resize of (N, C, H, W) to (N, C, *size)."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    out = F.interpolate(x, size=list(size), mode="bilinear", align_corners=align_corners)
    if out.requires_grad and out.is_contiguous(memory_format=torch.channels_last):
        out.register_hook(_channels_last)  # type: ignore[no-untyped-call]
    return out


def _channels_last(grad: Tensor) -> Tensor:
    """A part of a joined map's gradient lies in no order, in which its resize takes torch ten times as long."""
    return grad.contiguous(memory_format=torch.channels_last)


def resize_logits(x: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """`resize` in float32 at least: losses compute in it anyway, and CPUs enlarge in it twice as fast."""
    return resize(x.to(torch.promote_types(x.dtype, torch.float32)), size, align_corners=align_corners)


Interpolation = Literal["nearest", "bilinear"]


def enlarge(x: Tensor, size: Sequence[int], how: str) -> Tensor:
    """Resize of (N, C, H, W) to (N, C, *size) in one of the ways of `Interpolation`."""
    return F.interpolate(x, size=list(size)) if how == "nearest" else resize(x, size)
