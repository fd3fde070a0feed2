"""PointNet++ with multi-scale grouping (Qi et al. 2017, NIPS): PointNets in balls, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.cloud.acnn import spread
from intarsia.models.cloud.layers import MLP, CloudModel, Shared, gather, require_channels
from intarsia.models.cloud.neighbours import ball, farthest_points
from intarsia.models.registry import register

# Widths of the two scales of each level, and of the decoder, of the usual network for scenes.
_SCALES = (
    ((16, 16, 32), (32, 32, 64)),
    ((64, 64, 128), (64, 96, 128)),
    ((128, 196, 256), (128, 196, 256)),
    ((256, 256, 512), (256, 384, 512)),
)
_DECODER = ((256, 256), (256, 256), (256, 128), (128, 128, 128))
_NEIGHBOURS = (16, 32)


class BallLevel(nn.Module):
    """Farthest points, a PointNet on the neighbours in each of several balls around them, concatenated.

    Args:
        inputs: features of a point.
        points: how many are sampled.
        scales: (radius, neighbours, widths) of each ball.
    """

    def __init__(self, inputs: int, points: int, scales: Sequence[tuple[float, int, Sequence[int]]]) -> None:
        super().__init__()
        self.points = points
        self.balls = [(radius, count) for radius, count, _ in scales]
        self.mlps = nn.ModuleList([MLP(inputs + 3, widths) for _, _, widths in scales])
        self.width = sum(widths[-1] for _, _, widths in scales)

    def forward(self, xyz: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        centres = gather(xyz, farthest_points(xyz, cast(int, torch.sym_min(self.points, xyz.shape[1]))))
        pooled = []
        for (radius, count), mlp in zip(self.balls, self.mlps, strict=True):
            index, _ = ball(centres, xyz, radius, count)
            offset = gather(xyz, index) - centres[:, :, None]
            pooled.append(mlp(torch.cat([gather(features, index), offset], dim=-1)).amax(dim=2))
        return centres, torch.cat(pooled, dim=-1)


class PointNet2(CloudModel):
    """See `pointnet2`."""

    def __init__(
        self, classes: int, in_channels: int, points: Sequence[int], radius: float, width: float, dropout: float
    ) -> None:
        super().__init__()

        def scaled(widths: Sequence[int]) -> list[int]:
            return [max(8, round(width * value)) for value in widths]

        # As in the usual network, the first level's features hold the coordinates, too.
        self.levels, skips = nn.ModuleList(), [in_channels]
        for place, (count, scales) in enumerate(zip(points, _SCALES, strict=True)):
            radii = (radius / 2 * 2**place, radius * 2**place)
            balls = [
                (size, number, scaled(widths)) for size, number, widths in zip(radii, _NEIGHBOURS, scales, strict=True)
            ]
            level = BallLevel(skips[-1], count, balls)
            self.levels.append(level)
            skips.append(level.width)
        skips[0] = 0
        self.decoder, above = nn.ModuleList(), skips[-1]
        for skip, widths in zip(skips[-2::-1], _DECODER, strict=True):
            self.decoder.append(MLP(above + skip, scaled(widths)))
            above = scaled(widths)[-1]
        self.head = Shared(above, scaled((128,))[0])
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(scaled((128,))[0], classes)

    def points(self, rows: Tensor) -> Tensor:
        stages = [(rows[..., :3].contiguous(), rows)]
        for level in self.levels:
            stages.append(level(*stages[-1]))
        stages[0] = (stages[0][0], rows[..., :0])
        x = stages[-1][1]
        for (upper, _), (lower, skip), mlp in zip(stages[:0:-1], stages[-2::-1], self.decoder, strict=True):
            x = mlp(torch.cat([skip, spread(lower, upper, x)], dim=-1))
        scores: Tensor = self.out(self.dropout(self.head(x)))
        return scores


@register(paper="Qi et al. 2017, arXiv:1706.02413", medium="cloud")
def pointnet2(
    *,
    classes: int,
    in_channels: int = 3,
    points: Sequence[int] = (1024, 256, 64, 16),
    radius: float = 0.1,
    width: float = 1.0,
    dropout: float = 0.5,
) -> PointNet2:
    """PointNet++ with multi-scale grouping: small PointNets in growing balls.

    Args:
        classes: number of classes.
        in_channels: x, y, z and features.
        points: points that the four levels keep.
        radius: of the first level's larger ball, in metres; the smaller one is half as large, each level doubles both.
        width: factor of all layer widths.
        dropout: rate before the classifier.
    """
    require_channels("pointnet2", in_channels, 3, "x, y, z")
    if len(points) != len(_SCALES) or min(points) < 1:
        raise ModelError(f"pointnet2: points names four levels of at least one point, not {list(points)}")
    if radius <= 0 or width <= 0:
        raise ModelError("pointnet2: radius and width are greater than 0")
    return PointNet2(classes, in_channels, points, radius, width, dropout)
