"""PAN: a pyramid of strided attention on the deepest map, and decoder steps that it guides."""

from __future__ import annotations

import math
from typing import get_args

from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.layers import Interpolation, PooledNorm, one_of, resize
from intarsia.models.registry import register

_FINEST = 4


class PyramidAttention(nn.Module):
    """Feature pyramid attention (PAN, section 3.1): one weight a place, from maps of a half, quarter and eighth.

    Args:
        inputs: channels of the map.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.overall = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_conv_norm(inputs, outputs, 1), nn.ReLU())
        self.point = nn.Sequential(*_conv_norm(inputs, outputs, 1), nn.ReLU())
        # Kernels shrink with the maps.
        self.down = nn.ModuleList(
            nn.Sequential(*_conv_norm(width, 1, kernel), nn.ReLU()) for width, kernel in ((inputs, 7), (1, 5), (1, 3))
        )
        self.across = nn.ModuleList(nn.Sequential(*_conv_norm(1, 1, kernel), nn.ReLU()) for kernel in (7, 5, 3))

    def forward(self, x: Tensor) -> Tensor:
        levels = [x]
        for layer in self.down:
            levels.append(layer(_halved(levels[-1])))
        weights = self.across[-1](levels.pop())
        for layer in reversed(self.across[:-1]):
            here = levels.pop()
            weights = layer(here) + resize(weights, here.shape[2:], align_corners=True)
        overall = self.overall(x).expand(-1, -1, *x.shape[2:])
        out: Tensor = resize(weights, x.shape[2:], align_corners=True) * self.point(x) + overall
        return out


def _halved(x: Tensor) -> Tensor:
    """Max pooling by 2; a side of one cell stays, for it is padded (in a way that other runtimes compute as well)."""
    height, width = x.shape[2:]
    return F.max_pool2d(F.pad(x, (0, 1 // width, 0, 1 // height), value=-math.inf), 2)


class GlobalAttentionUpsample(nn.Module):
    """Global attention upsample (PAN, section 3.2): the deep map's average weighs the channels of the shallow one.

    Args:
        skip: channels of the encoder's map.
        channels: of the deep map and of the result.
        up: how the deep map is enlarged; "bilinear" is aligned by corners.
    """

    def __init__(self, skip: int, channels: int, up: str) -> None:
        super().__init__()
        self._up = up
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_conv_norm(channels, channels, 1), nn.Sigmoid())
        self.low = nn.Sequential(*_conv_norm(skip, channels, 3), nn.ReLU())

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        size = skip.shape[2:]
        nearest = self._up == "nearest"
        enlarged = F.interpolate(deep, size=list(size)) if nearest else resize(deep, size, align_corners=True)
        out: Tensor = enlarged + self.low(skip) * self.gate(deep)
        return out


def _conv_norm(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    """Convolution with biases, and batch-norm, which single values of pooled maps do not break."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), PooledNorm(outputs)


class PAN(ImageModel):
    """Encoder, feature pyramid attention and guided steps up to stride 4; see `pan`."""

    align_corners = True

    def __init__(self, encoder: Encoder, *, classes: int, channels: int, up: Interpolation) -> None:
        super().__init__()
        one_of("up", up, get_args(Interpolation))
        self.encoder = encoder
        self._skips = sorted((stage for stage in encoder.channels if _FINEST <= stage < encoder.deepest), reverse=True)
        self.attention = PyramidAttention(encoder.channels[encoder.deepest], channels)
        self.steps = nn.ModuleList(
            GlobalAttentionUpsample(encoder.channels[stage], channels, up) for stage in self._skips
        )
        self.head = nn.Conv2d(channels, classes, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        deep = self.attention(maps[self.encoder.deepest])
        for stage, step in zip(self._skips, self.steps, strict=True):
            deep = step(deep, maps[stage])
        out: Tensor = self.head(deep)
        return out


@register(paper="Li et al. 2018, Pyramid Attention Network for Semantic Segmentation, arXiv:1805.10180")
def pan(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 16,
    channels: int = 32,
    up: Interpolation = "bilinear",
    drop_path: float = 0.0,
    dilate_first_block: bool = False,
) -> ImageModel:
    """PAN: attention over a pyramid of the deepest map, and a decoder guided by the average of each deeper map.

    The form is smp's, and every resize is aligned by corners: the pyramid has one channel, and its 1x1, 7x7, 5x5 and
    3x3 convolutions have biases.

    Args:
        classes: number of output channels.
        encoder: encoder name; its maps from stride 4 on are used.
        in_channels: channels of the input.
        output_stride: stride of the deepest map: 32, 16 or 8.
        channels: width of the decoder.
        up: how a step enlarges its map: "bilinear" or "nearest".
        drop_path: stochastic depth of the encoder.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as smp does.
    """
    return PAN(
        build_encoder(
            encoder,
            in_channels=in_channels,
            output_stride=output_stride,
            drop_path=drop_path,
            dilate_first_block=dilate_first_block,
        ),
        classes=classes,
        channels=channels,
        up=up,
    )
