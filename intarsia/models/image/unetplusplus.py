"""U-Net++: a decoder whose skips are decoders themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.image.unet import decoder_strides
from intarsia.models.layers import Interpolation, conv_norm_act, enlarge, one_of
from intarsia.models.registry import register


class UNetPlusPlus(ImageModel):
    """Nested steps between encoder and decoder, each joined with all before it at its stride; see `unetplusplus`."""

    def __init__(
        self, encoder: Encoder, *, classes: int, channels: Sequence[int], up: Interpolation, finest: int = 1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._up = one_of("up", up, get_args(Interpolation))
        self._strides = decoder_strides(encoder, len(channels))
        # What a stride has: the decoder's map first, then the nested ones, of as many channels as the encoder's, last.
        level = [encoder.channels[encoder.deepest]]
        self.levels, self.steps = nn.ModuleList(), nn.ModuleList()
        for stride, width in zip(self._strides, channels, strict=True):
            skip = encoder.channels.get(stride, 0) if stride >= finest else 0
            if not skip:
                self.steps.append(_two_convs(level[0], width))
                level = [width]
                continue
            outputs = [width] + [skip] * (len(level) - 1)
            # As many maps of this stride are there already as nodes lie between it and the encoder.
            joined = [below + skip * (len(level) - index) for index, below in enumerate(level)]
            self.levels.append(nn.ModuleList(map(_two_convs, joined, outputs)))
            level = [*outputs, skip]
        self.head = nn.Conv2d(channels[-1], classes, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        level = [maps[self.encoder.deepest]]
        for nodes, stride in zip(self.levels, self._strides, strict=False):
            below, level = level, [maps[stride]]
            for deep, node in zip(reversed(below), reversed(list(nodes.children())), strict=True):
                level.insert(0, node(torch.cat([enlarge(deep, level[0].shape[2:], self._up), *level], dim=1)))
        deep = level[0]
        for step, stride in zip(self.steps, self._strides[len(self.levels) :], strict=True):
            deep = step(enlarge(deep, [-(-side // stride) for side in x.shape[2:]], self._up))
        out: Tensor = self.head(deep)
        return out


def _two_convs(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(inputs, outputs), conv_norm_act(outputs, outputs))


@register(paper="Zhou et al. 2018, UNet++, arXiv:1807.10165")
def unetplusplus(
    *,
    classes: int,
    encoder: str = "resnet34",
    in_channels: int = 3,
    channels: Sequence[int] = (256, 128, 64, 32, 16),
    up: Interpolation = "nearest",
    finest: int = 1,
    drop_path: float = 0.0,
) -> ImageModel:
    """U-Net++: U-Net whose skips pass through nested, densely connected steps, over any encoder.

    The form is smp's: one output, without the paper's deep supervision.

    Args:
        classes: number of output channels.
        encoder: encoder name.
        in_channels: channels of the input.
        channels: decoder widths from deep to shallow, one for each map that is joined; more go on without maps, each to
            twice the resolution, at most the input's. The nested steps are as wide as the encoder's maps.
        up: how a step enlarges its map: "nearest" or "bilinear".
        finest: stride of the encoder's finest map that is joined; smp's, over VGG, leave out that of stride 1.
        drop_path: stochastic depth of the encoder.
    """
    return UNetPlusPlus(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        up=up,
        finest=finest,
    )
