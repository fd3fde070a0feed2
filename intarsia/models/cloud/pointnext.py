"""PointNeXt (Qian et al. 2022): PointNet++ with residual blocks, scaled in width and depth."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.cloud.acnn import spread
from intarsia.models.cloud.layers import MLP, CloudModel, Shared, gather, require_channels
from intarsia.models.cloud.neighbours import ball, farthest_points
from intarsia.models.registry import register

_STRIDE = 4
_EXPANSION = 4


class _Size(NamedTuple):
    """Width of the first layer, and residual blocks of each level."""

    width: int
    blocks: tuple[int, int, int, int]


_SIZES = {
    "s": _Size(32, (0, 0, 0, 0)),
    "b": _Size(32, (1, 2, 1, 1)),
    "l": _Size(32, (2, 4, 2, 2)),
    "xl": _Size(64, (3, 6, 3, 3)),
}


class Around(nn.Module):
    """One layer of an MLP shared by all neighbours: offsets, as shares of the radius, and features.

    The features' part of the product is taken once a point and not once a neighbour, which changes nothing.

    Args:
        inputs: features of a point.
        outputs: features of the result.
        radius: in the unit of the coordinates.
    """

    def __init__(self, inputs: int, outputs: int, radius: float) -> None:
        super().__init__()
        self.layer = Shared(3 + inputs, outputs, bias=False)
        self.radius = radius

    def forward(self, xyz: Tensor, centres: Tensor, features: Tensor, index: Tensor) -> Tensor:
        """Neighbours (B, M, k) among the points (B, N, ...) to (B, M, k, outputs), without the activation."""
        weight, bias = self.layer.folded()
        offset = (gather(xyz, index) - centres[:, :, None]) / self.radius
        y = gather(F.linear(features, weight[:, 3:]), index)
        y = y + F.linear(offset, weight[:, :3], bias)
        return self.layer.norm(y.flatten(0, -2)).view(y.shape) if self.training else y


class SetAbstraction(nn.Module):
    """Every fourth point, by farthest point sampling, learns from the ball around it (section 3.2).

    Args:
        inputs: features of a point.
        outputs: features of the result.
        radius: of the ball.
        neighbours: in it.
        residual: with two layers and a shortcut, as in PointNeXt-S; the larger ones have one layer here.
    """

    def __init__(self, inputs: int, outputs: int, radius: float, neighbours: int, *, residual: bool) -> None:
        super().__init__()
        self.radius, self.neighbours = radius, neighbours
        self.around = Around(inputs, outputs // 2 if residual else outputs, radius)
        self.second = Shared(outputs // 2, outputs, slope=1, bias=False) if residual else None
        self.shortcut = nn.Linear(inputs, outputs) if residual else None

    def forward(self, xyz: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 3) and (B, N, inputs) to (B, M, 3) and (B, M, outputs)."""
        picked = farthest_points(xyz, max(1, xyz.shape[1] // _STRIDE))
        centres = gather(xyz, picked)
        index, _ = ball(centres, xyz, self.radius, self.neighbours)
        y = self.around(xyz, centres, features, index)
        if self.second is None or self.shortcut is None:
            return centres, F.relu(y.amax(dim=2))  # the activation keeps the order, and can wait for the maximum
        y = self.second(F.relu_(y)).amax(dim=2)
        return centres, F.relu(y + self.shortcut(gather(features, picked)))


class InvertedResidual(nn.Module):
    """InvResMLP (section 3.2): one layer over the neighbours, two over the points, the first four times as wide.

    Args:
        width: features of a point.
        radius: of the ball.
    """

    def __init__(self, width: int, radius: float) -> None:
        super().__init__()
        self.around = Around(width, width, radius)
        self.wide = Shared(width, _EXPANSION * width, bias=False)
        self.narrow = Shared(_EXPANSION * width, width, slope=1, bias=False)

    def forward(self, xyz: Tensor, features: Tensor, index: Tensor) -> Tensor:
        """(B, N, width) features of the points (B, N, 3), whose neighbours are (B, N, k)."""
        y = F.relu(self.around(xyz, xyz, features, index).amax(dim=2))
        return F.relu(self.narrow(self.wide(y)) + features)


class Stage(nn.Module):
    """A set abstraction, and residual blocks over balls of twice its radius.

    Args:
        inputs: features of a point.
        outputs: features of the result.
        radius: of the abstraction's ball.
        neighbours: in a ball.
        blocks: residual blocks.
        residual: see `SetAbstraction`.
    """

    def __init__(
        self, inputs: int, outputs: int, radius: float, neighbours: int, blocks: int, *, residual: bool
    ) -> None:
        super().__init__()
        self.abstraction = SetAbstraction(inputs, outputs, radius, neighbours, residual=residual)
        self.radius, self.neighbours = 2 * radius, neighbours
        self.blocks = nn.ModuleList([InvertedResidual(outputs, self.radius) for _ in range(blocks)])

    def forward(self, xyz: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 3) and (B, N, inputs) to (B, M, 3) and (B, M, outputs)."""
        xyz, features = self.abstraction(xyz, features)
        if self.blocks:
            index, _ = ball(xyz, xyz, self.radius, self.neighbours)
            for block in self.blocks:
                features = block(xyz, features, index)
        return xyz, features


class PointNeXt(CloudModel):
    """See `pointnext`."""

    def __init__(self, classes: int, in_channels: int, size: _Size, radius: float, neighbours: int, dropout: float):
        super().__init__()
        widths = [size.width * 2**level for level in range(len(size.blocks) + 1)]
        residual = not any(size.blocks)
        self.stem = nn.Linear(in_channels - 2, widths[0])
        self.stages = nn.ModuleList()
        for level, blocks in enumerate(size.blocks):
            inputs, outputs = widths[level : level + 2]
            self.stages.append(Stage(inputs, outputs, radius * 2**level, neighbours, blocks, residual=residual))
        self.decoder, above = nn.ModuleList(), widths[-1]
        for width in widths[-2::-1]:
            self.decoder.append(MLP(width + above, (width, width), bias=False))
            above = width
        self.head = Shared(above, above, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(above, classes)

    def points(self, rows: Tensor) -> Tensor:
        stages = [(rows[..., :3].contiguous(), self.stem(rows[..., 2:]))]
        for stage in self.stages:
            stages.append(stage(*stages[-1]))
        x = stages[-1][1]
        for (upper, _), (lower, skip), mlp in zip(stages[:0:-1], stages[-2::-1], self.decoder, strict=True):
            x = mlp(torch.cat([skip, spread(lower, upper, x, power=1)], dim=-1))
        scores: Tensor = self.out(self.dropout(self.head(x)))
        return scores


@register(paper="Qian et al. 2022, arXiv:2206.04670", medium="cloud")
def pointnext(
    *,
    classes: int,
    in_channels: int = 3,
    size: Literal["s", "b", "l", "xl"] = "s",
    radius: float = 0.1,
    neighbours: int = 32,
    dropout: float = 0.5,
) -> PointNeXt:
    """PointNeXt: PointNet++ with residual blocks, and offsets as shares of the radius.

    As in the released network for rooms, the first layer sees height and features; x and y only tell where a point is.

    Args:
        classes: number of classes.
        in_channels: x, y, z and features.
        size: "s", "b", "l" or "xl".
        radius: of the first level's ball, in metres; each level doubles it.
        neighbours: in a ball, the nearest of them.
        dropout: rate before the classifier.
    """
    require_channels("pointnext", in_channels, 3, "x, y, z")
    if size not in _SIZES:
        raise ModelError(f"pointnext: size is s, b, l or xl, not {size!r}")
    if radius <= 0 or neighbours < 1:
        raise ModelError("pointnext: radius is greater than 0, and neighbours at least 1")
    return PointNeXt(classes, in_channels, _SIZES[size], radius, neighbours, dropout)
