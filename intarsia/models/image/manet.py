"""MA-Net: attention between positions, and between the channels of maps that are joined."""

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


class PositionAttention(nn.Module):
    """Position-wise attention block (MA-Net, section III-B): every place of the map takes from every other.

    As in smp, the softmax goes over all pairs of places together, not over each row, and the result is read as a map
    without turning places and channels back. The pairs grow with the square of the map's cells.

    Args:
        channels: of the map, input and output.
        width: channels of queries and keys.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.keys = nn.Conv2d(channels, width, 1)
        self.queries = nn.Conv2d(channels, width, 1)
        self.values = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        keys, queries, values = (part(x).flatten(2) for part in (self.keys, self.queries, self.values))
        pairs = queries.transpose(1, 2) @ keys
        attention = pairs.flatten(1).softmax(dim=1).view_as(pairs)  # (N, H * W, H * W)
        taken = (attention.to(values.dtype) @ values.transpose(1, 2)).reshape(x.shape)
        out: Tensor = self.out(x + taken)
        return out


class FusionStep(nn.Module):
    """Multi-scale fusion attention block (MA-Net, section III-C): channels weighed by both maps, then joined.

    Args:
        inputs: channels of the deep map.
        skip: channels of the encoder's map.
        outputs: channels of the result.
        reduction: channels of the encoder's map for each channel of the squeeze.
        up: how the deep map is enlarged.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, *, reduction: int, up: str) -> None:
        super().__init__()
        self._up = up
        self.reduce = nn.Sequential(conv_norm_act(inputs, inputs), conv_norm_act(inputs, skip, 1))
        self.low_gate, self.high_gate = (_gate(skip, max(1, skip // reduction)) for _ in range(2))
        self.join = nn.Sequential(conv_norm_act(2 * skip, outputs), conv_norm_act(outputs, outputs))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        deep = enlarge(self.reduce(deep), skip.shape[2:], self._up)
        weighed = deep * (self.high_gate(deep) + self.low_gate(skip))
        out: Tensor = self.join(torch.cat([weighed, skip], dim=1))
        return out


def _gate(channels: int, width: int) -> nn.Sequential:
    """Squeeze and excitation: (N, C, H, W) -> (N, C, 1, 1) in 0..1."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, width, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, channels, 1),
        nn.Sigmoid(),
    )


class MANet(ImageModel):
    """Position attention on the deepest map, then fusion steps; see `manet`."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        channels: Sequence[int],
        attention: int,
        reduction: int,
        up: Interpolation,
        finest: int = 1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._up = one_of("up", up, get_args(Interpolation))
        self._strides = decoder_strides(encoder, len(channels))
        self._finest = finest
        width = encoder.channels[encoder.deepest]
        self.center = PositionAttention(width, attention)
        self.steps = nn.ModuleList()
        for stride, outputs in zip(self._strides, channels, strict=True):
            skip = encoder.channels.get(stride, 0) if stride >= finest else 0
            if skip:
                self.steps.append(FusionStep(width, skip, outputs, reduction=reduction, up=up))
            else:
                self.steps.append(nn.Sequential(conv_norm_act(width, outputs), conv_norm_act(outputs, outputs)))
            width = outputs
        self.head = nn.Conv2d(width, classes, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        deep = self.center(maps[self.encoder.deepest])
        for stride, step in zip(self._strides, self.steps, strict=True):
            if stride in maps and stride >= self._finest:
                deep = step(deep, maps[stride])
            else:
                deep = step(enlarge(deep, [-(-side // stride) for side in x.shape[2:]], self._up))
        out: Tensor = self.head(deep)
        return out


@register(paper="Fan et al. 2020, MA-Net, IEEE Access 8, doi:10.1109/ACCESS.2020.3025372")
def manet(
    *,
    classes: int,
    encoder: str = "resnet34",
    in_channels: int = 3,
    channels: Sequence[int] = (256, 128, 64, 32, 16),
    attention: int = 64,
    reduction: int = 16,
    up: Interpolation = "nearest",
    finest: int = 1,
    drop_path: float = 0.0,
) -> ImageModel:
    """MA-Net: U-Net with attention between positions and between channels, over any encoder; made for liver tumours.

    The position attention compares every cell of the deepest map with every other: 1,024 pixels of side are a million
    pairs, 4,096 are 268 million. Large pictures are best predicted in tiles.

    Args:
        classes: number of output channels.
        encoder: encoder name.
        in_channels: channels of the input.
        channels: decoder widths from deep to shallow, one for each map that is joined; more go on without maps, each to
            twice the resolution, at most the input's.
        attention: channels in which positions are compared.
        reduction: factor by which the channel attention squeezes an encoder's map.
        up: how a step enlarges its map: "nearest" or "bilinear".
        finest: stride of the encoder's finest map that is joined; smp's, over VGG, leaves out that of stride 1.
        drop_path: stochastic depth of the encoder.
    """
    return MANet(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        attention=attention,
        reduction=reduction,
        up=up,
        finest=finest,
    )
