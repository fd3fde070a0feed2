"""The U-Net family: as published, and its decoder over any encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, UsageError
from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.layers import conv_norm_act, enlarge, one_of
from intarsia.models.registry import register

Up = Literal["bilinear", "nearest", "deconv"]
Padding = Literal["valid", "same"]

_LEVELS = 5
_CROPS = (4, 16, 40, 88)  # of the skips, deepest first: what valid convolutions have used up until they are joined
_BORDER = 92  # context that the valid convolutions use up on each side
_PERIOD = 16  # the poolings together
_REACH = 107  # most pixels between an output and an input that decides it; it depends on the place in the period


class UNet(ImageModel):
    """Encoder maps joined from deep to shallow, two 3x3 convolutions at each step; see `unet`."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        channels: Sequence[int],
        up: Up = "bilinear",
        head_kernel: int = 1,
        center: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._up = one_of("up", up, get_args(Up))
        self._strides = decoder_strides(encoder, len(channels))
        self._joined = {stride: width for stride, width in encoder.channels.items() if stride > 1 or not center}
        if head_kernel < 1 or head_kernel % 2 == 0:
            raise ModelError(f"head_kernel must be odd to keep the size, not {head_kernel}")
        self.steps, self.deconvs = nn.ModuleList(), nn.ModuleList()
        width, above = encoder.channels[encoder.deepest], encoder.output_stride
        self.center = nn.Sequential(*(conv_norm_act(width, width) for _ in range(2 * center)))
        for stride, outputs in zip(self._strides, channels, strict=True):
            if up == "deconv":
                self.deconvs.append(nn.ConvTranspose2d(width, outputs, above // stride, stride=above // stride))
                width = outputs
            joined = width + self._joined.get(stride, 0)
            self.steps.append(nn.Sequential(conv_norm_act(joined, outputs), conv_norm_act(outputs, outputs)))
            width, above = outputs, stride
        self.head = nn.Conv2d(width, classes, head_kernel, padding=head_kernel // 2)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        deep = self.center(maps[self.encoder.deepest])
        for index, (stride, step) in enumerate(zip(self._strides, self.steps, strict=True)):
            if stride in self._joined:
                skip = maps[stride]
                deep = step(torch.cat([self._enlarged(deep, index, skip.shape[2:]), skip], dim=1))
            else:
                deep = step(self._enlarged(deep, index, [-(-side // stride) for side in x.shape[2:]]))
        out: Tensor = self.head(deep)
        return out

    def _enlarged(self, deep: Tensor, index: int, size: Sequence[int]) -> Tensor:
        if self._up == "deconv":
            # Odd sizes are rounded up by most encoders, which leaves a row too many, and down by the others.
            deep = self.deconvs[index](deep)[:, :, : size[0], : size[1]]
        return enlarge(deep, size, "bilinear" if self._up == "deconv" else self._up)


def decoder_strides(encoder: Encoder, steps: int) -> list[int]:
    """The stride that each step of a decoder goes to: those of the skips, then each half of the one before.

    Raises:
        ModelError: there are fewer steps than maps to join, or more than lead to the input's resolution.
    """
    skips = sorted((stage for stage in encoder.channels if stage < encoder.output_stride), reverse=True)
    strides = skips + [skips[-1] >> step for step in range(1, skips[-1].bit_length())]
    if len(skips) <= steps <= len(strides):
        return strides[:steps]
    more = f", or up to {len(strides)} to go on to the input's resolution" if len(strides) > len(skips) else ""
    raise ModelError(
        f"encoder {encoder.name!r} has {len(skips)} maps to join (strides {skips}); "
        f"channels must have as many entries{more}, not {steps}"
    )


class OriginalUNet(ImageModel):
    """The published network, layer by layer; see `unet_original`."""

    encoder: nn.ModuleList

    def __init__(
        self, *, classes: int, in_channels: int, width: int, padding: Padding, norm: bool, dropout: float
    ) -> None:
        super().__init__()
        self._valid = one_of("padding", padding, get_args(Padding)) == "valid"
        self.margin = _REACH if self._valid else 0
        widths = [width * 2**level for level in range(_LEVELS)]
        convs = [
            _two_convs(inputs, outputs, padding=padding, norm=norm)
            for inputs, outputs in zip([in_channels, *widths], widths, strict=False)
        ]
        for level in convs[-2:]:
            level.append(nn.Dropout(dropout))
        self.encoder = nn.ModuleList(convs)
        self.ups, self.steps = nn.ModuleList(), nn.ModuleList()
        for outputs in reversed(widths[:-1]):
            self.ups.append(nn.Sequential(nn.ConvTranspose2d(2 * outputs, outputs, 2, stride=2), nn.ReLU(inplace=True)))
            self.steps.append(_two_convs(2 * outputs, outputs, padding=padding, norm=norm))
        self.head = nn.Conv2d(width, classes, 1)
        self.apply(_initialise)

    def logits(self, x: Tensor) -> Tensor:
        if not self._valid:
            return self._layers(x)
        height, width = x.shape[2:]
        rows, columns = _mirrored(height, x.device), _mirrored(width, x.device)
        return self._layers(x.index_select(2, rows).index_select(3, columns))[:, :, :height, :width]

    def valid(self, x: Tensor) -> Tensor:
        """The published network alone, without mirroring: 572x572 pixels to 388x388 logits.

        Args:
            x: (N, in_channels, H, W), both sides at least 188 and 12 more than a multiple of 16.

        Returns:
            (N, C, H - 184, W - 184), the logits of the input's middle.

        Raises:
            UsageError: a side of another size, or a model with padding "same".
        """
        if not self._valid:
            raise UsageError('this U-Net was built with padding="same"; only padding="valid" has valid convolutions')
        if any(side < 2 * _BORDER or (side - 2 * _BORDER) % _PERIOD != 4 for side in x.shape[2:]):
            sides = " x ".join(str(side) for side in x.shape[2:])
            raise UsageError(f"both sides must be 188, 204, 220, ... (12 more than a multiple of 16), not {sides}")
        return self._layers(x)

    def _layers(self, x: Tensor) -> Tensor:
        skips = []
        for level in self.encoder[:-1]:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2, ceil_mode=True)  # valid sizes are even here
        x = self.encoder[-1](x)
        for up, step, crop in zip(self.ups, self.steps, _CROPS, strict=True):
            skip = skips.pop()
            x = up(x)
            if self._valid:  # differences of sides would be the same, but take an exporter long to reason about
                skip = skip[:, :, crop:-crop, crop:-crop]
            else:
                x = x[:, :, : skip.shape[2], : skip.shape[3]]  # pooling rounded up
            x = step(torch.cat([skip, x], dim=1))
        out: Tensor = self.head(x)
        return out


def _two_convs(inputs: int, outputs: int, *, padding: Padding, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers.append(nn.Conv2d(width, outputs, 3, padding=1 if padding == "same" else 0, bias=not norm))
        if norm:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _mirrored(length: int, device: torch.device) -> Tensor:
    """Where the pixels of the padded axis lie in one of `length` pixels: mirrored at both ends, as often as needed."""
    padded = length + (4 - length) % _PERIOD + 2 * _BORDER
    period = max(2 * (length - 1), 1)
    there = torch.arange(-_BORDER, padded - _BORDER, device=device) % period
    return torch.minimum(there, period - there)


def _initialise(module: nn.Module) -> None:
    """He et al.'s normal distribution: variance 2 / N, for N incoming nodes of a neuron (section 3)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        incoming = module.in_channels  # where kernel and stride are equal, one place of the kernel meets an output
        if isinstance(module, nn.Conv2d):
            incoming *= math.prod(module.kernel_size)
        nn.init.normal_(module.weight, std=math.sqrt(2 / incoming))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@register(paper="Ronneberger et al. 2015, U-Net, arXiv:1505.04597")
def unet(
    *,
    classes: int,
    encoder: str = "resnet34",
    in_channels: int = 3,
    output_stride: int = 32,
    channels: Sequence[int] = (256, 128, 64, 32),
    up: Up = "bilinear",
    head_kernel: int = 1,
    center: bool = False,
    drop_path: float = 0.0,
) -> ImageModel:
    """U-Net decoder with size-keeping convolutions over any timm encoder.

    The form of segmentation-models-pytorch has ``channels=(256, 128, 64, 32, 16)``, ``up="nearest"`` and
    ``head_kernel=3``, over VGG also ``center=True``.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: stride of the deepest map.
        channels: decoder widths from deep to shallow, one for each map that is joined; more go on without maps, each to
            twice the resolution, at most the input's.
        up: how a step enlarges its map: "bilinear", "nearest", or "deconv", a learned 2x2 transposed convolution to the
            step's width as in the paper.
        head_kernel: side of the last convolution's kernel, odd.
        center: two more convolutions on the deepest map, and no map of the input's own size is joined.
        drop_path: stochastic depth of the encoder.
    """
    return UNet(
        build_encoder(encoder, in_channels=in_channels, output_stride=output_stride, drop_path=drop_path),
        classes=classes,
        channels=channels,
        up=up,
        head_kernel=head_kernel,
        center=center,
    )


@register(paper="Ronneberger et al. 2015, U-Net, arXiv:1505.04597")
def unet_original(
    *,
    classes: int,
    in_channels: int = 1,
    width: int = 64,
    padding: Padding = "valid",
    norm: bool = False,
    dropout: float = 0.5,
) -> ImageModel:
    """U-Net exactly as published: 23 valid convolutions on grey pictures, mirrored beyond their borders.

    The input is mirrored by 92 pixels on each side, which the convolutions use up (section 2, overlap-tile strategy),
    so that the logits have the input's size; large pictures are cut into tiles that give the whole picture's logits.

    Args:
        classes: number of output channels.
        in_channels: channels of the input; with 1, pictures are turned to grey.
        width: channels of the first level; each of the four below has twice as many.
        padding: "valid", as published, or "same": zeros at every convolution, for less arithmetic.
        norm: batch-norm before each ReLU of the 3x3 convolutions (not in the paper).
        dropout: rate at the end of the fourth and of the deepest level (section 3.1; the paper names no rate).
    """
    return OriginalUNet(
        classes=classes, in_channels=in_channels, width=width, padding=padding, norm=norm, dropout=dropout
    )
