"""The U-Net family."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.layers import conv_norm_act, resize
from intarsia.models.registry import SegmentationModel, register


class UNet(SegmentationModel):
    """Encoder maps joined from deep to shallow, two 3x3 convolutions at each step; see `unet`."""

    def __init__(self, encoder: Encoder, *, classes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        self._skips = sorted((stage for stage in encoder.channels if stage < encoder.output_stride), reverse=True)
        if len(channels) != len(self._skips):
            raise ModelError(
                f"encoder {encoder.name!r} has {len(self._skips)} maps to join (strides {self._skips}); "
                f"channels must have as many entries, not {len(channels)}"
            )
        self.steps = nn.ModuleList()
        width = encoder.channels[encoder.deepest]
        for stride, outputs in zip(self._skips, channels, strict=True):
            joined = width + encoder.channels[stride]
            self.steps.append(nn.Sequential(conv_norm_act(joined, outputs), conv_norm_act(outputs, outputs)))
            width = outputs
        self.head = nn.Conv2d(width, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        deep = maps[self.encoder.deepest]
        for stride, step in zip(self._skips, self.steps, strict=True):
            skip = maps[stride]
            deep = step(torch.cat([resize(deep, skip.shape[2:]), skip], dim=1))
        out: Tensor = self.head(deep)
        return out


@register(paper="Ronneberger et al. 2015, U-Net, arXiv:1505.04597")
def unet(
    *,
    classes: int,
    encoder: str = "resnet34",
    in_channels: int = 3,
    output_stride: int = 32,
    channels: Sequence[int] = (256, 128, 64, 32),
    drop_path: float = 0.0,
) -> SegmentationModel:
    """U-Net decoder with size-keeping convolutions over any timm encoder.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: stride of the deepest map.
        channels: decoder widths from deep to shallow, one for each map that is joined.
        drop_path: stochastic depth of the encoder.
    """
    return UNet(
        build_encoder(encoder, in_channels=in_channels, output_stride=output_stride, drop_path=drop_path),
        classes=classes,
        channels=channels,
    )
