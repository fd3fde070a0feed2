"""PointNet (Qi et al. 2017): shared MLPs, learnt alignments, and one maximum over all points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.cloud.layers import MLP, OF_WHOLES, CloudModel, Shared, require_channels
from intarsia.models.cloud.pooled import PooledMLP
from intarsia.models.contract import Penalty, Supervised
from intarsia.models.registry import register

_PAPER = "Qi et al. 2017, arXiv:1612.00593"
_ORTHOGONALITY = 0.001
CATEGORIES = 16


class Transform(nn.Module):
    """T-Net (section 4.2): a matrix predicted from all points, which starts as the identity.

    Args:
        inputs: features that it sees.
        size: side of the matrix.
        widths: of the shared MLP.
        head: of the layers after the maximum.
    """

    def __init__(
        self, inputs: int, size: int, widths: Sequence[int] = (64, 128, 1024), head: Sequence[int] = (512, 256)
    ) -> None:
        super().__init__()
        self.size = size
        self.mlp = PooledMLP(inputs, widths)
        self.head = MLP(widths[-1], head)
        self.out = nn.Linear(head[-1], size * size)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.out.bias.copy_(torch.eye(size).flatten())

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, inputs) to (B, size, size), to be applied as ``rows @ matrix``."""
        matrix: Tensor = self.out(self.head(self.mlp(x)))
        return matrix.view(-1, self.size, self.size)


def orthogonality(matrix: Tensor) -> Tensor:
    """Mean over the batch of the Frobenius norm of T T' - I.

    The paper (equation 2) squares and sums it, which grows with the batch; this is the form of the PyTorch versions.
    """
    identity = torch.eye(matrix.shape[-1], device=matrix.device, dtype=matrix.dtype)
    return (matrix @ matrix.transpose(1, 2) - identity).square().sum((1, 2)).clamp_min(1e-12).sqrt().mean()


def pool(x: Tensor) -> Tensor:
    """Maximum over the points (B, N, C) of each cloud: (B, C)."""
    return x.amax(dim=1)


class _PointNet(CloudModel):
    """Common to all tasks: the alignments, and the orthogonality term of the second in training."""

    def features(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and the feature transform where there is one."""
        raise NotImplementedError

    def points(self, rows: Tensor) -> Tensor:
        return self.features(rows)[0]

    def supervised(self, x: Tensor) -> tuple[Supervised | Penalty, ...]:
        scores, matrix = self.features(x.transpose(1, 2).contiguous())
        outputs = (Supervised(scores.transpose(1, 2) if scores.ndim == 3 else scores, 1.0),)
        return outputs if matrix is None else (*outputs, Penalty(orthogonality(matrix), _ORTHOGONALITY))


def _aligned(rows: Tensor, matrix: Tensor) -> Tensor:
    """Coordinates under a 3x3 transform, the other channels as they are."""
    return torch.cat([rows[..., :3] @ matrix, rows[..., 3:]], dim=-1)


class PointNet(_PointNet):
    """The network of figure 2, for whole clouds or for points."""

    def __init__(self, classes: int, in_channels: int, *, whole: bool, transforms: bool, dropout: float) -> None:
        super().__init__()
        self.whole = whole
        self.unexportable = OF_WHOLES if whole else ""
        self.align = Transform(in_channels, 3) if transforms else None
        self.first = MLP(in_channels, (64, 64))
        self.align_features = Transform(64, 64) if transforms else None
        self.second = PooledMLP(64, (64, 128, 1024))
        if whole:
            self.head = nn.ModuleList([Shared(1024, 512), Shared(512, 256)])
        else:
            self.head = nn.ModuleList([Shared(1088, 512), Shared(512, 256), Shared(256, 128), Shared(128, 128)])
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(256 if whole else 128, classes)

    def features(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.align is not None:
            rows = _aligned(rows, self.align(rows))
        own = self.first(rows)
        matrix = None
        if self.align_features is not None:
            matrix = self.align_features(own)
            own = own @ matrix
        common = self.second(own)
        if self.whole:
            x = common
            for layer in self.head:
                x = self.dropout(layer(x))
        else:
            x = self.head[0](own, common)
            for layer in self.head[1:]:
                x = layer(x)
        return self.out(x), matrix


class PointNetParts(_PointNet):
    """The network for parts (appendix, figure 9): all levels concatenated, and the category of the object.

    It has a second head that tells the category, as in the published code, where its loss has the weight 0.
    """

    def __init__(self, classes: int, in_channels: int, *, categories: int) -> None:
        super().__init__()
        own = in_channels - categories
        self.categories = categories
        self.align = Transform(own, 3, head=(128, 128))
        self.layers = nn.ModuleList([Shared(own, 64), Shared(64, 128), Shared(128, 128)])
        self.align_features = Transform(128, 128, (256, 1024))
        self.upper = nn.ModuleList([Shared(128, 512), Shared(512, 2048)])
        self.category = nn.Sequential(MLP(2048, (256, 256)), nn.Dropout(0.3), nn.Linear(256, categories))
        self.category.requires_grad_(False)  # its loss weighs 0, and processes wait for every gradient
        self.head = nn.ModuleList([Shared(64 + 128 + 128 + 512 + 2048 + 2048 + categories, 256), Shared(256, 256)])
        self.last = Shared(256, 128)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(128, classes)

    def features(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        levels, matrix = self._levels(rows[..., : -self.categories])
        common = torch.cat([pool(levels[-1]), rows[:, 0, -self.categories :]], dim=-1)
        x = self.head[0](torch.cat(levels, dim=-1), common)
        x = self.dropout(self.head[1](self.dropout(x)))
        return self.out(self.last(x)), matrix

    def _levels(self, rows: Tensor) -> tuple[list[Tensor], Tensor]:
        """The features of all levels, and the feature transform."""
        x = _aligned(rows, self.align(rows))
        levels = []
        for layer in self.layers:
            x = layer(x)
            levels.append(x)
        matrix = self.align_features(x)
        x = x @ matrix
        for layer in self.upper:
            x = layer(x)
            levels.append(x)
        return levels, matrix

    def category_logits(self, x: Tensor) -> Tensor:
        """(N, in_channels, P) to the category's logits (N, categories)."""
        levels, _ = self._levels(x.transpose(1, 2)[..., : -self.categories].contiguous())
        logits: Tensor = self.category(pool(levels[-1]))
        return logits


class PointNetScene(CloudModel):
    """The network that was released for indoor scenes: no alignments, 1024 features of each point kept."""

    def __init__(self, classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        self.mlp = MLP(in_channels, (64, 64, 64, 128, 1024))
        self.whole = MLP(1024, (256, 128))
        self.head = nn.ModuleList([Shared(1024 + 128, 512), Shared(512, 256)])
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(256, classes)

    def points(self, rows: Tensor) -> Tensor:
        own = self.mlp(rows)
        x = self.head[1](self.head[0](own, self.whole(pool(own))))
        scores: Tensor = self.out(self.dropout(x))
        return scores


@register(paper=_PAPER, medium="cloud")
def pointnet(
    *,
    classes: int,
    in_channels: int = 3,
    task: Literal["semantic", "part", "classification"] = "semantic",
    transforms: bool = True,
    categories: int = CATEGORIES,
    dropout: float = 0.3,
) -> CloudModel:
    """PointNet: each point by itself and the maximum over all of them.

    Args:
        classes: number of classes.
        in_channels: x, y, z and features; for parts, the category as `categories` channels of 0 and 1 at the end.
        task: "semantic" labels points (figure 2), "part" those of objects of known category (the ShapeNet network),
            "classification" whole clouds.
        transforms: with the two T-Nets (not for "part", which always has them).
        categories: of objects, for "part".
        dropout: rate between the last layers, for "classification".
    """
    if task == "part":
        require_channels("pointnet", in_channels, 3 + categories, "x, y, z and the category")
        return PointNetParts(classes, in_channels, categories=categories)
    require_channels("pointnet", in_channels, 3, "x, y, z")
    if task not in ("semantic", "classification"):
        raise ModelError(f"pointnet: task is semantic, part or classification, not {task!r}")
    whole = task == "classification"
    return PointNet(classes, in_channels, whole=whole, transforms=transforms, dropout=dropout)


@register(paper=_PAPER, medium="cloud")
def pointnet_scene(*, classes: int, in_channels: int = 9, dropout: float = 0.3) -> PointNetScene:
    """PointNet as released for indoor scenes: nine inputs, no alignments.

    Args:
        classes: number of classes.
        in_channels: x, y, z and features; the nine of the release are x, y, z, colour and the position in the room.
        dropout: rate before the classifier.
    """
    require_channels("pointnet_scene", in_channels, 3, "x, y, z")
    return PointNetScene(classes, in_channels, dropout)
