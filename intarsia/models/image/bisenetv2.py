"""BiSeNetV2, for real time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.layers import PooledNorm, conv_norm_act
from intarsia.models.registry import register

# The paper's instance (table 1). Up to stride 8 the semantic branch has a quarter (lambda) of the detail's channels.
_DETAIL = ((64, 2), (64, 3), (128, 3))  # channels and convolutions of each stage
_STEM = 16
_SEMANTIC = ((32, 2), (64, 2), (128, 4))  # channels and gather-and-expansion layers of each stage after the stem
_EXPANSION = 6
_RATIO = 4  # between the strides of the two branches


class BiSeNetV2(ImageModel):
    """A bilateral network and a head, with a head on each semantic stage in training; see `bisenetv2`."""

    def __init__(
        self,
        *,
        classes: int,
        in_channels: int,
        width: float,
        head_channels: int,
        auxiliary_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = BilateralNetwork(in_channels, width)
        self.head = _head(self.encoder.outputs, head_channels, classes, dropout)
        boosted = self.encoder.semantic_channels if auxiliary_channels else []
        self.auxiliary_heads = nn.ModuleList(
            _head(channels, auxiliary_channels, classes, dropout) for channels in boosted
        )

    def logits(self, x: Tensor) -> Tensor:
        fused, _ = self.encoder(x)
        out: Tensor = self.head(fused)
        return out

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        fused, stages = self.encoder(x)
        logits = [self.head(fused)]
        logits += [head(stage) for head, stage in zip(self.auxiliary_heads, stages, strict=False)]  # heads may be none
        return self.at_input_size(x, [(each, 1.0) for each in logits])


class BilateralNetwork(nn.Module):
    """A shallow wide branch for details, a deep narrow one for meaning, and what joins them (section 4).

    ``forward(x)`` gives the joined map at stride 8 and the semantic branch's maps at strides 4, 8, 16 and 32.

    Attributes:
        outputs: channels of the joined map.
        semantic_channels: channels of the four semantic maps.
    """

    def __init__(self, in_channels: int, width: float) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return round(width * channels)

        self.outputs = scaled(_DETAIL[-1][0])
        self.semantic_channels = [scaled(_STEM), *(scaled(channels) for channels, _ in _SEMANTIC)]
        if self.semantic_channels[0] < 2:
            raise ModelError(f"bisenetv2: width {width} leaves the stem less than 2 channels; use at least 0.125")

        detail: list[nn.Module] = []
        inputs = in_channels
        for channels, depth in _DETAIL:
            outputs = scaled(channels)
            detail += [*_conv_norm(inputs, outputs, stride=2), nn.ReLU(inplace=True)]
            detail += [conv_norm_act(outputs, outputs) for _ in range(depth - 1)]
            inputs = outputs
        self.detail = nn.Sequential(*detail)

        inputs, *widths = self.semantic_channels
        self.semantic = nn.ModuleList([_Stem(in_channels, inputs)])
        for outputs, (_, depth) in zip(widths, _SEMANTIC, strict=True):
            rest = (_GatherAndExpand(outputs, outputs) for _ in range(depth - 1))
            self.semantic.append(nn.Sequential(_GatherAndExpand(inputs, outputs, stride=2), *rest))
            inputs = outputs
        self.context = _ContextEmbedding(inputs)
        self.aggregation = _GuidedAggregation(inputs)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        stages = []
        semantic = x
        for stage in self.semantic:
            semantic = stage(semantic)
            stages.append(semantic)
        return self.aggregation(self.detail(x), self.context(semantic)), stages


class _Stem(nn.Module):
    """Strided convolutions beside a max-pool: stride 4 at once."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.first = nn.Sequential(*_conv_norm(inputs, outputs, stride=2), nn.ReLU(inplace=True))
        self.convs = nn.Sequential(
            conv_norm_act(outputs, half, 1), *_conv_norm(half, outputs, stride=2), nn.ReLU(inplace=True)
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.fuse = conv_norm_act(2 * outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        out: Tensor = self.fuse(torch.cat([self.convs(x), self.pool(x)], dim=1))
        return out


class _GatherAndExpand(nn.Module):
    """A 3x3 convolution, then an expansion by depthwise convolution and a projection, with a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        hidden = _EXPANSION * inputs
        expand = _conv_norm(inputs, hidden, stride=stride, groups=inputs)
        if stride > 1:
            expand += _conv_norm(hidden, hidden, groups=hidden)
        self.residual = nn.Sequential(
            conv_norm_act(inputs, inputs), *expand, nn.ReLU(inplace=True), *_conv_norm(hidden, outputs, 1)
        )
        shortcut = [*_conv_norm(inputs, inputs, stride=stride, groups=inputs), *_conv_norm(inputs, outputs, 1)]
        self.shortcut = nn.Sequential(*shortcut) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


class _ContextEmbedding(nn.Module):
    """The global average added to every place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            PooledNorm(channels),
            nn.Conv2d(channels, channels, 1, bias=False),
            PooledNorm(channels),
            nn.ReLU(inplace=True),
        )
        self.conv = conv_norm_act(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x + self.pool(x))
        return out


class _GuidedAggregation(nn.Module):
    """Each branch gates the other at its own stride; the sum has the detail branch's."""

    def __init__(self, channels: int) -> None:
        super().__init__()

        def separable() -> nn.Sequential:
            return nn.Sequential(
                *_conv_norm(channels, channels, groups=channels), nn.Conv2d(channels, channels, 1, bias=False)
            )

        self.detail_here = separable()
        self.detail_down = nn.Sequential(
            *_conv_norm(channels, channels, stride=2), nn.AvgPool2d(3, stride=2, padding=1)
        )
        self.semantic_here = separable()
        self.semantic_up = nn.Sequential(*_conv_norm(channels, channels))
        self.project = conv_norm_act(channels, channels)

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        rows, columns = detail.shape[2:]

        def enlarged(x: Tensor) -> Tensor:
            # cut, not resized to fit: cells of odd maps stay where those of a larger picture would be
            return F.interpolate(x, scale_factor=_RATIO, mode="bilinear")[:, :, :rows, :columns]

        fine = self.detail_here(detail) * torch.sigmoid(enlarged(self.semantic_up(semantic)))
        coarse = self.detail_down(detail) * torch.sigmoid(self.semantic_here(semantic))
        out: Tensor = self.project(fine + enlarged(coarse))
        return out


def _head(inputs: int, channels: int, classes: int, dropout: float) -> nn.Sequential:
    """A 3x3 convolution and a classifier."""
    return nn.Sequential(*conv_norm_act(inputs, channels), nn.Dropout(dropout), nn.Conv2d(channels, classes, 1))


def _conv_norm(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")


@register(paper="Yu et al. 2020, BiSeNet V2, arXiv:2004.02147")
def bisenetv2(
    *,
    classes: int,
    in_channels: int = 3,
    width: float = 1.0,
    head_channels: int = 1024,
    auxiliary_channels: int = 128,
    dropout: float = 0.1,
) -> ImageModel:
    """BiSeNetV2: a branch for details and a branch for meaning that guide each other, for real time.

    Where the paper's figures leave out a nonlinearity that its well-known ports have, this follows the ports: ReLU
    after the depthwise expansion and after the aggregation, batch-norm and ReLU after the context embedding's last
    convolution.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        width: factor on all channels of both branches (alpha in the paper).
        head_channels: hidden channels of the head.
        auxiliary_channels: hidden channels of the heads on the four semantic stages, which training alone runs, with
            the main head's weight (the paper's booster training strategy); 0 is none.
        dropout: rate before the classifiers.

    Raises:
        ModelError: the width leaves too few channels.
    """
    return BiSeNetV2(
        classes=classes,
        in_channels=in_channels,
        width=width,
        head_channels=head_channels,
        auxiliary_channels=auxiliary_channels,
        dropout=dropout,
    )
