"""RandLA-Net (Hu et al. 2020): random sampling, local spatial encoding, attentive pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.cloud.layers import CloudModel, RowNorm, Shared, gather, require_channels
from intarsia.models.cloud.neighbours import nearest
from intarsia.models.registry import register

_SLOPE = 0.2


class AttentivePooling(nn.Module):
    """A weighted sum over neighbours, the weights a softmax of the features themselves (section 3.3).

    Args:
        inputs: features of a neighbour.
        outputs: features of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.score = nn.Linear(inputs, inputs, bias=False)
        self.out = Shared(inputs, outputs, slope=_SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, k, C) to (B, N, outputs)."""
        pooled: Tensor = self.out((self.score(x).softmax(dim=2) * x).sum(dim=2))
        return pooled


class Aggregation(nn.Module):
    """Dilated residual block (section 3.3): two rounds of spatial encoding and attentive pooling.

    Args:
        inputs: features of a point.
        outputs: half the features of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.enter = Shared(inputs, half, slope=_SLOPE)
        self.first_place, self.second_place = Shared(10, half, slope=_SLOPE), Shared(half, half, slope=_SLOPE)
        self.first_pool, self.second_pool = AttentivePooling(outputs, half), AttentivePooling(outputs, outputs)
        self.leave, self.leave_norm = nn.Linear(outputs, 2 * outputs), RowNorm(2 * outputs)
        self.shortcut, self.shortcut_norm = nn.Linear(inputs, 2 * outputs), RowNorm(2 * outputs)

    def forward(self, features: Tensor, index: Tensor, place: Tensor) -> Tensor:
        """Features (B, N, inputs), neighbours (B, N, k) and their encoded places (B, N, k, 10)."""
        x = self.enter(features)
        place = self.first_place(place)
        x = self.first_pool(torch.cat([gather(x, index), place], dim=-1))
        place = self.second_place(place)
        x = self.second_pool(torch.cat([gather(x, index), place], dim=-1))
        y: Tensor = self.leave_norm(self.leave(x)) + self.shortcut_norm(self.shortcut(features))
        return F.leaky_relu_(y, _SLOPE)


def encode_places(xyz: Tensor, index: Tensor) -> Tensor:
    """Distance, offset, centre and neighbour of each pair (section 3.3): (B, N, k, 10)."""
    neighbours = gather(xyz, index)
    centres = xyz[:, :, None].expand_as(neighbours)
    offset = centres - neighbours
    return torch.cat([offset.norm(dim=-1, keepdim=True), offset, centres, neighbours], dim=-1)


class RandLANet(CloudModel):
    """See `randlanet`."""

    def __init__(
        self, classes: int, in_channels: int, widths: Sequence[int], neighbours: int, reduce: int, dropout: float
    ) -> None:
        super().__init__()
        self.neighbours, self.reduce = neighbours, reduce
        self.enter = Shared(in_channels, 8, slope=_SLOPE)
        sizes = [8, *(2 * width for width in widths)]
        self.levels = nn.ModuleList([Aggregation(a, w) for a, w in zip(sizes, widths, strict=False)])
        self.middle = Shared(sizes[-1], sizes[-1], slope=_SLOPE)
        # Every level's features are kept before they are thinned; the first also at full resolution.
        skips = [sizes[1], *sizes[1:]]
        self.decoder, above = nn.ModuleList(), sizes[-1]
        for skip in skips[-2::-1]:
            self.decoder.append(Shared(above + skip, skip, slope=_SLOPE))
            above = skip
        self.head = nn.Sequential(Shared(above, 64, slope=_SLOPE), Shared(64, 32, slope=_SLOPE), nn.Dropout(dropout))
        self.out = nn.Linear(32, classes)

    def points(self, rows: Tensor) -> Tensor:
        order = self._order(rows)
        x = self.enter(rows[:, order])
        xyz = rows[:, order, :3].contiguous()
        skips: list[Tensor] = []
        clouds = [xyz]
        for level in self.levels:
            index, _ = nearest(xyz, xyz, self.neighbours)
            x = level(x, index, encode_places(xyz, index))
            if not skips:
                skips.append(x)
            kept = max(1, xyz.shape[1] // self.reduce)
            # The points are in random order, so that the first ones are a random sample; the rest is pooled into them.
            pool, _ = nearest(xyz[:, :kept], xyz, self.neighbours)
            x, xyz = gather(x, pool).amax(dim=2), xyz[:, :kept].contiguous()
            skips.append(x)
            clouds.append(xyz)
        x = self.middle(x)
        for place, layer in enumerate(self.decoder):
            lower, upper = clouds[-2 - place], clouds[-1 - place]
            index, _ = nearest(lower, upper, 1)
            x = layer(torch.cat([skips[-2 - place], gather(x, index[..., 0])], dim=-1))
        scores: Tensor = self.out(self.head(x))
        return torch.empty_like(scores).index_copy_(1, order, scores)

    def _order(self, rows: Tensor) -> Tensor:
        """A random order of the points; always the same when nothing is learnt."""
        if torch.compiler.is_exporting():
            return cast(Tensor, torch.ops.intarsia.shuffled(rows[..., :3]))
        generator = None if self.training else torch.Generator().manual_seed(0)
        return torch.randperm(rows.shape[1], generator=generator).to(rows.device)


@register(paper="Hu et al. 2020, arXiv:1911.11236", medium="cloud")
def randlanet(
    *,
    classes: int,
    in_channels: int = 3,
    widths: Sequence[int] = (16, 64, 128, 256),
    neighbours: int = 16,
    reduce: int = 4,
    dropout: float = 0.5,
) -> RandLANet:
    """RandLA-Net: attention over nearest neighbours, random sampling between the levels.

    Args:
        classes: number of classes.
        in_channels: x, y, z and features.
        widths: of the levels; a level gives twice as many features.
        neighbours: k, of each point.
        reduce: each level keeps one point in so many.
        dropout: rate before the classifier.
    """
    require_channels("randlanet", in_channels, 3, "x, y, z")
    if not widths or min(widths) < 2 or any(width % 2 for width in widths):
        raise ModelError(f"randlanet: widths are even numbers, one a level, not {list(widths)}")
    if neighbours < 1 or reduce < 1:
        raise ModelError("randlanet: neighbours and reduce are at least 1")
    return RandLANet(classes, in_channels, widths, neighbours, reduce, dropout)
