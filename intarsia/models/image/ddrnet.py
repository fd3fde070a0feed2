"""DDRNet: two resolutions that exchange what they find, for real time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.layers import resize
from intarsia.models.registry import register

POOLS = ((5, 2), (9, 4), (17, 8))
"""Kernel and stride of the pooled contexts; beside them the whole map is one."""
_AUXILIARY_WEIGHT = 0.4


class DDRNet(ImageModel):
    """A dual-resolution network and its head, with a head on the early fine branch in training; see `ddrnet`."""

    def __init__(
        self, *, classes: int, in_channels: int, width: int, context_channels: int, head_channels: int, auxiliary: bool
    ) -> None:
        super().__init__()
        if width < 1:
            raise ModelError(f"ddrnet: width is at least 1 (32 in DDRNet-23-slim), not {width}")
        self.encoder = DualResolution(in_channels, width, context_channels)
        self.head = head_of(4 * width, head_channels, classes)
        self.auxiliary_head = head_of(2 * width, head_channels, classes) if auxiliary else None

    def logits(self, x: Tensor) -> Tensor:
        fused, _ = self.encoder(x)
        out: Tensor = self.head(fused)
        return out

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        fused, early = self.encoder(x)
        outputs = [(self.head(fused), 1.0)]
        if self.auxiliary_head is not None:
            outputs.append((self.auxiliary_head(early), _AUXILIARY_WEIGHT))
        return self.at_input_size(x, outputs)


class DualResolution(nn.Module):
    """The branches of DDRNet-23: one stays at stride 8, one goes on to 64; both are summed twice (section III-B).

    ``forward(x)`` gives the joined map and the fine branch's after the first exchange, both at stride 8.
    """

    def __init__(self, in_channels: int, width: int, context_channels: int) -> None:
        super().__init__()
        fine, quarter, half = 2 * width, 4 * width, 8 * width
        self.stem = nn.Sequential(
            *down(in_channels, width, bias=True), nn.ReLU(inplace=True),
            *down(width, width, bias=True), nn.ReLU(inplace=True),
            stage(width, width), nn.ReLU(inplace=True),
            stage(width, fine, stride=2), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.coarse = nn.ModuleList([stage(fine, quarter, stride=2), stage(quarter, half, stride=2)])
        self.fine = nn.ModuleList([stage(fine, fine), stage(fine, fine)])
        self.to_fine = nn.ModuleList([project(quarter, fine), project(half, fine)])
        self.to_coarse = nn.ModuleList(
            [
                nn.Sequential(*down(fine, quarter)),
                nn.Sequential(*down(fine, quarter), nn.ReLU(inplace=True), *down(quarter, half)),
            ]
        )
        self.last_fine = Bottleneck(fine, fine)
        self.last_coarse = Bottleneck(half, half, stride=2)
        self.context = ContextAggregation(2 * half, context_channels, quarter)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = coarse = self.stem(x)
        size, exchanged = fine.shape[2:], []
        for deepen, refine, to_fine, to_coarse in zip(
            self.coarse, self.fine, self.to_fine, self.to_coarse, strict=True
        ):
            deep, detailed = deepen(coarse), refine(fine)
            coarse = F.relu(deep + to_coarse(F.relu(detailed)))
            exchanged.append(detailed + resize(to_fine(F.relu(deep)), size))
            fine = F.relu(exchanged[-1])
        context = self.context(self.last_coarse(coarse))
        return self.last_fine(fine) + resize(context, size), exchanged[0]


class ContextAggregation(nn.Module):
    """Deep aggregation pyramid pooling (DAPPM, section III-C): each context is joined to the next smaller one.

    Args:
        inputs: channels of the map.
        width: channels of each context.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(kernel, stride, kernel // 2) for kernel, stride in POOLS]
        self.scales = nn.ModuleList(
            nn.Sequential(pool, *norm_act_conv(inputs, width))
            for pool in (nn.Identity(), *pools, nn.AdaptiveAvgPool2d(1))
        )
        self.joins = nn.ModuleList(nn.Sequential(*norm_act_conv(width, width, 3)) for _ in self.scales[1:])
        self.fuse = nn.Sequential(*norm_act_conv(width * len(self.scales), outputs))
        self.shortcut = nn.Sequential(*norm_act_conv(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        first, *wider = self.scales
        contexts = [first(x)]
        for scale, join in zip(wider, self.joins, strict=True):
            contexts.append(join(resize(scale(x), x.shape[2:]) + contexts[-1]))
        out: Tensor = self.fuse(torch.cat(contexts, dim=1)) + self.shortcut(x)
        return out


class _Basic(nn.Module):
    """ResNet's block of two 3x3 convolutions; ReLU is left to what follows."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *down(inputs, outputs, stride=stride), nn.ReLU(inplace=True), *down(outputs, outputs, stride=1)
        )
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else project(inputs, outputs, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.residual(x) + self.shortcut(x)
        return out


class Bottleneck(nn.Module):
    """ResNet's bottleneck to twice its width, without the ReLU behind it."""

    def __init__(self, inputs: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *project(inputs, width), nn.ReLU(inplace=True),
            *down(width, width, stride=stride), nn.ReLU(inplace=True),
            *project(width, 2 * width),
        )  # fmt: skip
        same = inputs == 2 * width and stride == 1
        self.shortcut = nn.Identity() if same else project(inputs, 2 * width, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.residual(x) + self.shortcut(x)
        return out


def stage(inputs: int, outputs: int, *, stride: int = 1, blocks: int = 2) -> nn.Sequential:
    """Make some basic blocks, of which the last ends without ReLU."""
    layers: list[nn.Module] = [_Basic(inputs, outputs, stride=stride)]
    for _ in range(blocks - 1):
        layers += [nn.ReLU(), _Basic(outputs, outputs)]
    return nn.Sequential(*layers)


def down(inputs: int, outputs: int, *, stride: int = 2, bias: bool = False) -> list[nn.Module]:
    """Make a 3x3 convolution and its norm."""
    return [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias), nn.BatchNorm2d(outputs)]


def project(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Make a 1x1 convolution and its norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def norm_act_conv(inputs: int, outputs: int, kernel: int = 1, *, groups: int = 1) -> list[nn.Module]:
    """Make a norm, ReLU and a convolution of the same size."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    return [nn.BatchNorm2d(inputs), nn.ReLU(), conv]


def head_of(inputs: int, channels: int, classes: int) -> nn.Sequential:
    """Make a 3x3 convolution and a classifier, each after batch-norm and ReLU."""
    hidden = norm_act_conv(inputs, channels, 3)
    return nn.Sequential(*hidden, nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, classes, 1))


@register(paper="Hong et al. 2021, Deep Dual-resolution Networks, arXiv:2101.06085")
def ddrnet(
    *,
    classes: int,
    in_channels: int = 3,
    width: int = 32,
    context_channels: int = 128,
    head_channels: int = 64,
    auxiliary: bool = True,
) -> ImageModel:
    """DDRNet-23: a branch at stride 8 and one that goes on to stride 64, which exchange their maps, for real time.

    Every convolution but the projections is a dense 3x3 one. DDRNet-23-slim is the default; DDRNet-23 has width 64 and
    128 head channels.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        width: channels at stride 4; all others follow from it.
        context_channels: channels of each context of the pyramid.
        head_channels: hidden channels of the heads.
        auxiliary: a second head on the fine branch in training, with 0.4 of the weight, as in the published code.

    Raises:
        ModelError: no channels.
    """
    return DDRNet(
        classes=classes,
        in_channels=in_channels,
        width=width,
        context_channels=context_channels,
        head_channels=head_channels,
        auxiliary=auxiliary,
    )
