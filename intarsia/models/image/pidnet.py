"""PIDNet: a branch for detail, one for context and one for edges, which decides between the two; for real time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.image.ddrnet import (
    POOLS,
    Bottleneck,
    ContextAggregation,
    down,
    head_of,
    norm_act_conv,
    project,
    stage,
)
from intarsia.models.layers import resize
from intarsia.models.registry import register

_AUXILIARY_WEIGHT = 0.4


class PIDNet(ImageModel):
    """A three-branch network and its head, with a head on the early detail in training; see `pidnet`."""

    def __init__(
        self, *, classes: int, in_channels: int, width: int, blocks: Sequence[int], context_channels: int,
        head_channels: int, auxiliary: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        if width < 1 or len(blocks) != 2 or min(blocks) < 1:
            raise ModelError(
                "pidnet: width is at least 1, and blocks are two numbers from 1 on (32 and [2, 3] in PIDNet-S), not "
                f"{width} and {list(blocks)}"
            )
        self.encoder = ThreeBranches(in_channels, width, blocks, context_channels)
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


class ThreeBranches(nn.Module):
    """The branches of PIDNet (section 3): proportional (detail), integral (context) and derivative (edges).

    ``forward(x)`` gives the joined map and the detail after it was first guided, both at stride 8.

    Args:
        in_channels: channels of the input.
        width: channels at stride 4.
        blocks: of a stage at strides up to 8, and of one at strides 16 and 32.
        context_channels: channels of each pooled context.
    """

    def __init__(self, in_channels: int, width: int, blocks: Sequence[int], context_channels: int) -> None:
        super().__init__()
        shallow, deep = blocks
        light = shallow == 2  # as PIDNet-S and M are; L has wider edges, and joins contexts one after the other
        fine, quarter, half = 2 * width, 4 * width, 8 * width
        edges = width if light else fine
        self.stem = nn.Sequential(
            *down(in_channels, width, bias=True), nn.ReLU(inplace=True),
            *down(width, width, bias=True), nn.ReLU(inplace=True),
            stage(width, width, blocks=shallow), nn.ReLU(inplace=True),
            stage(width, fine, stride=2, blocks=shallow), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.context = nn.ModuleList(
            [stage(fine, quarter, stride=2, blocks=deep), stage(quarter, half, stride=2, blocks=deep)]
        )
        self.last_context = nn.Sequential(Bottleneck(half, half, stride=2), Bottleneck(2 * half, half))
        self.pool = (ParallelAggregation if light else ContextAggregation)(2 * half, context_channels, quarter)
        self.detail = nn.ModuleList([stage(fine, fine, blocks=shallow), stage(fine, fine, blocks=shallow)])
        self.to_detail = nn.ModuleList([project(quarter, fine), project(half, fine)])
        self.guides = nn.ModuleList([Guide(fine, width), Guide(fine, width)])
        self.last_detail = Bottleneck(fine, fine)
        self.edges = nn.ModuleList(
            [stage(fine, edges, blocks=1), Bottleneck(edges, edges) if light else stage(fine, fine, blocks=1)]
        )
        self.to_edges = nn.ModuleList(
            [nn.Sequential(*down(quarter, edges, stride=1)), nn.Sequential(*down(half, fine, stride=1))]
        )
        self.last_edges = Bottleneck(fine, fine)
        self.fusion = (LightFusion if light else Fusion)(quarter)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        context = self.stem(x)
        detail = edges = context
        size, guided = context.shape[2:], []
        for deepen, refine, find, guide, to_detail, to_edges in zip(
            self.context, self.detail, self.edges, self.guides, self.to_detail, self.to_edges, strict=True
        ):
            context = F.relu(deepen(context))
            guided.append(guide(refine(detail), to_detail(context)))
            detail = F.relu(guided[-1])
            edges = F.relu(find(edges) + resize(to_edges(context), size))
        pooled = resize(self.pool(self.last_context(context)), size)
        return self.fusion(self.last_detail(detail), pooled, self.last_edges(edges)), guided[0]


class ParallelAggregation(nn.Module):
    """Pooled contexts (PAPPM, section 3.4) that are all refined at once, by one convolution in groups.

    Args:
        inputs: channels of the map.
        width: channels of each context.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(kernel, stride, kernel // 2) for kernel, stride in POOLS]
        self.own = nn.Sequential(*norm_act_conv(inputs, width))
        self.scales = nn.ModuleList(
            nn.Sequential(pool, *norm_act_conv(inputs, width)) for pool in (*pools, nn.AdaptiveAvgPool2d(1))
        )
        count = len(self.scales)
        self.joins = nn.Sequential(*norm_act_conv(count * width, count * width, 3, groups=count))
        self.fuse = nn.Sequential(*norm_act_conv((count + 1) * width, outputs))
        self.shortcut = nn.Sequential(*norm_act_conv(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        own = self.own(x)
        contexts = self.joins(torch.cat([resize(scale(x), x.shape[2:]) + own for scale in self.scales], dim=1))
        out: Tensor = self.fuse(torch.cat([own, contexts], dim=1)) + self.shortcut(x)
        return out


class Guide(nn.Module):
    """Takes from the context where it agrees with the detail (Pag, section 3.2), cell by cell.

    Args:
        channels: of both maps.
        width: of what they are compared by.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.of_detail, self.of_context = project(channels, width), project(channels, width)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        size = detail.shape[2:]
        alike = (self.of_detail(detail) * resize(self.of_context(context), size)).sum(dim=1, keepdim=True).sigmoid()
        out: Tensor = (1 - alike) * detail + alike * resize(context, size)
        return out


class LightFusion(nn.Module):
    """At edges the detail counts, elsewhere the context (Light-Bag, section 3.3), by two projections."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_detail, self.of_context = project(channels, channels), project(channels, channels)

    def forward(self, detail: Tensor, context: Tensor, edges: Tensor) -> Tensor:
        edge = edges.sigmoid()
        out: Tensor = self.of_detail((1 - edge) * context + detail) + self.of_context(context + edge * detail)
        return out


class Fusion(nn.Module):
    """At edges the detail counts, elsewhere the context (Bag, section 3.3), by a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = nn.Sequential(*norm_act_conv(channels, channels, 3))

    def forward(self, detail: Tensor, context: Tensor, edges: Tensor) -> Tensor:
        edge = edges.sigmoid()
        out: Tensor = self.join(edge * detail + (1 - edge) * context)
        return out


@register(paper="Xu et al. 2023, PIDNet, arXiv:2206.02066")
def pidnet(
    *,
    classes: int,
    in_channels: int = 3,
    width: int = 32,
    blocks: Sequence[int] = (2, 3),
    context_channels: int = 96,
    head_channels: int = 128,
    auxiliary: bool = True,
) -> ImageModel:
    """PIDNet: detail and edges at stride 8 and context down to stride 64; edges decide which of the two counts.

    PIDNet-S is the default; M has width 64 and blocks [2, 4] (the published code builds [2, 3], which has 28.5 of the
    paper's 34.4 million parameters), L width 64, blocks [3, 4], 112 context channels and 256 head channels. Here the
    branch of edges learns from the labels alone: the paper's own losses on edges are not taken.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        width: channels at stride 4; all others follow from it.
        blocks: of a stage at strides up to 8, and of one at strides 16 and 32; with other than 2 at first the branches
            are joined as in PIDNet-L.
        context_channels: channels of each pooled context.
        head_channels: hidden channels of the heads.
        auxiliary: a second head on the detail branch in training, with 0.4 of the weight, as in the published code.

    Raises:
        ModelError: no channels, or no blocks.
    """
    return PIDNet(
        classes=classes,
        in_channels=in_channels,
        width=width,
        blocks=blocks,
        context_channels=context_channels,
        head_channels=head_channels,
        auxiliary=auxiliary,
    )
