"""The DeepLab family."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import ASPP, conv_norm_act, resize, separable_conv
from intarsia.models.registry import SegmentationModel, register


class DeepLabV3Plus(SegmentationModel):
    """Encoder, ASPP, and a decoder that refines with a low-level map; see `deeplabv3plus`."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        rates: Sequence[int],
        channels: int,
        low_channels: int,
        low_stride: int,
        separable: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        conv = separable_conv if separable else conv_norm_act
        self.encoder = encoder
        self.low_stride = low_stride
        self.aspp = ASPP(encoder.channels[encoder.deepest], channels, rates, separable=separable, dropout=dropout)
        self.low = conv_norm_act(require_stage(encoder, low_stride), low_channels, 1)
        self.decoder = nn.Sequential(conv(channels + low_channels, channels), conv(channels, channels))
        self.head = nn.Conv2d(channels, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        low = self.low(maps[self.low_stride])
        deep = resize(self.aspp(maps[self.encoder.deepest]), low.shape[2:])
        out: Tensor = self.head(self.decoder(torch.cat([deep, low], dim=1)))
        return out


@register(paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611")
def deeplabv3plus(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 16,
    rates: Sequence[int] = (6, 12, 18),
    channels: int = 256,
    low_channels: int = 48,
    low_stride: int = 4,
    separable: bool = True,
    dropout: float = 0.1,
    drop_path: float = 0.0,
) -> SegmentationModel:
    """DeepLabv3+: atrous separable pyramid pooling and a light decoder, over any timm encoder.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: 32, 16 or 8; the paper's rates are for 16 (double them at 8).
        rates: dilations of the pyramid's 3x3 branches.
        channels: width of the pyramid and the decoder.
        low_channels: width that the low-level map is reduced to.
        low_stride: stride of the low-level map.
        separable: depthwise separable convolutions in pyramid and decoder.
        dropout: rate after the pyramid.
        drop_path: stochastic depth of the encoder.
    """
    return DeepLabV3Plus(
        build_encoder(encoder, in_channels=in_channels, output_stride=output_stride, drop_path=drop_path),
        classes=classes,
        rates=rates,
        channels=channels,
        low_channels=low_channels,
        low_stride=low_stride,
        separable=separable,
        dropout=dropout,
    )
