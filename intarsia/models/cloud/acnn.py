"""A-CNN (Komarichev et al. 2019): annular convolutions on points with normals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, UsageError
from intarsia.models.cloud.layers import MLP, OF_WHOLES, CloudModel, Shared, gather, require_channels
from intarsia.models.cloud.neighbours import interpolation
from intarsia.models.cloud.pointnet import CATEGORIES
from intarsia.models.cloud.rings import AnnularLevel, GlobalLevel, Level, RingSpec, radii_for, ring_fill
from intarsia.models.registry import TrainingData, register
from intarsia.recipe import Recipe

_FIRST = (RingSpec(0.0, 0.1, 16, (32, 32, 64)), RingSpec(0.1, 0.2, 48, (64, 64, 128)))
_SECOND = (RingSpec(0.1, 0.2, 16, (64, 64, 128)), RingSpec(0.3, 0.4, 48, (128, 128, 256)))
_SCENE_POINTS = (1024, 256, 64, 16)
_LEAST_SPACING = 1e-3  # where all points lie in one place


def spread(query: Tensor, xyz: Tensor, features: Tensor, *, power: int = 2) -> Tensor:
    """Features of some points at others, by the three nearest: (B, N, C)."""
    index, weight = interpolation(query, xyz, power=power)
    return (gather(features, index) * weight[..., None]).sum(dim=2)


def _unit(normals: Tensor) -> Tensor:
    return F.normalize(normals, dim=-1)


class ACNN(CloudModel):
    """The published network for whole clouds."""

    unexportable = OF_WHOLES

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.first = AnnularLevel(0, 512, _FIRST)
        self.second = AnnularLevel(self.first.width, 128, _SECOND)
        self.third = GlobalLevel(self.second.width, (256, 512, 1024))
        self.head = nn.ModuleList([Shared(1024, 512), Shared(512, 256)])
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(256, classes)

    def points(self, rows: Tensor) -> Tensor:
        level = Level(rows[..., :3], rows[..., :0], _unit(rows[..., 3:6]))
        x = self.third(self.second(self.first(level)))
        for layer in self.head:
            x = self.dropout(layer(x))
        scores: Tensor = self.out(x)
        return scores


class ACNNParts(CloudModel):
    """The published network for parts of objects: each level goes straight to all points."""

    def __init__(self, classes: int, categories: int, dropout: float) -> None:
        super().__init__()
        self.categories = categories
        self.first = AnnularLevel(3, 512, _FIRST)
        self.second = AnnularLevel(self.first.width, 128, _SECOND)
        self.third = GlobalLevel(self.second.width, (256, 512, 1024))
        self.from_third = MLP(1024, (64,))
        self.from_second = MLP(self.second.width, (64,))
        self.from_first = MLP(self.first.width + 3, (128, 128, 128))
        self.head = nn.ModuleList([Shared(64 + 64 + 128 + categories + 3, 256), Shared(256, 256)])
        self.last = Shared(256, 128)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(128, classes)

    def points(self, rows: Tensor) -> Tensor:
        xyz, normals, category = rows[..., :3], rows[..., 3:6], rows[:, 0, -self.categories :]
        first = self.first(Level(xyz, normals, _unit(normals)))
        second = self.second(first)
        whole = self.from_third(self.third(second))
        own = torch.cat(
            [
                self.from_second(spread(xyz, second.xyz, second.features)),
                self.from_first(torch.cat([spread(xyz, first.xyz, first.features), normals], dim=-1)),
                xyz,
            ],
            dim=-1,
        )
        x = self.head[0](own, torch.cat([whole, category], dim=-1))
        x = self.dropout(self.head[1](self.dropout(x)))
        scores: Tensor = self.out(self.last(x))
        return scores


class ACNNScene(CloudModel):
    """Our variant for scenes: four annular levels, and PointNet++'s decoder."""

    def __init__(self, classes: int, in_channels: int, radii: Sequence[Sequence[float]], dropout: float) -> None:
        super().__init__()
        width = in_channels - 3
        self.levels, widths = nn.ModuleList(), [width]
        for points, scale, (inner, middle, outer) in zip(_SCENE_POINTS, (1, 2, 4, 8), radii, strict=True):
            base = 32 * scale
            rings = (
                RingSpec(inner, middle, 16, (base // 2, base // 2, base)),
                RingSpec(middle, outer, 32, (base, base, 2 * base)),
            )
            level = AnnularLevel(widths[-1], points, rings)
            self.levels.append(level)
            widths.append(level.width)
        self.decoder = nn.ModuleList()
        above = widths[-1]
        for skip, outputs in zip(widths[-2::-1], ((256, 256), (256, 256), (256, 128), (128, 128, 128)), strict=True):
            self.decoder.append(MLP(above + skip, outputs))
            above = outputs[-1]
        self.head = Shared(above, 128)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(128, classes)

    def points(self, rows: Tensor) -> Tensor:
        stages = [Level(rows[..., :3], rows[..., 3:], _unit(rows[..., 3:6]))]
        for level in self.levels:
            stages.append(level(stages[-1]))
        x = stages[-1].features
        for upper, lower, mlp in zip(stages[:0:-1], stages[-2::-1], self.decoder, strict=True):
            x = mlp(torch.cat([spread(lower.xyz, upper.xyz, x), lower.features], dim=-1))
        scores: Tensor = self.out(self.dropout(self.head(x)))
        return scores

    def remarks(self, x: Tensor) -> list[str]:
        """Tell how full the first rings are: empty places repeat a point, full ones may leave points out."""
        level = cast(AnnularLevel, self.levels[0])
        rings = [(spec.inner, spec.outer, spec.neighbours) for spec in level.rings]
        fills = zip(rings, ring_fill(x[:, :3].transpose(1, 2), level.points, rings), strict=True)
        shown = [f"{a:g} to {b:g} m {100 * fill:.0f} % of {count} places" for (a, b, count), fill in fills]
        return [f"first rings: {', '.join(shown)} filled; model.options.spacing widens them"]


def _check(recipe: Recipe) -> None:
    if recipe.cloud.features[:1] != ["normals"]:
        raise UsageError(
            "acnn orders neighbours around their normals, which have to be the first feature: set "
            f"cloud.features=[normals, ...], not {recipe.cloud.features}"
        )


def _options_from(options: Mapping[str, Any], data: TrainingData) -> dict[str, Any]:
    """The spacing that the radii for scenes follow from, where the recipe does not say it."""
    if options.get("task", "scene") != "scene" or "spacing" in options:
        return {}
    return {"spacing": data.spacing() or _LEAST_SPACING}


@register(
    paper="Komarichev et al. 2019, arXiv:1904.08017; the variant for scenes is ours",
    medium="cloud",
    check=_check,
    options_from=_options_from,
)
def acnn(
    *,
    classes: int,
    in_channels: int = 6,
    task: Literal["scene", "part", "classification"] = "scene",
    spacing: float = 0.1,
    categories: int = CATEGORIES,
    dropout: float | None = None,
) -> CloudModel:
    """A-CNN: convolutions around rings of neighbours, ordered on the tangent plane.

    Channels 3 to 5 are the normal. The networks for parts and whole objects are those of the published code, for
    objects in the unit sphere; the network for scenes was never released, and ours stands in for it.

    Args:
        classes: number of classes.
        in_channels: x, y, z, the normal, and features (scene) or the category as 0 and 1 (part).
        task: "scene" or "part" label points, "classification" whole clouds.
        spacing: for scenes, the median distance in metres between neighbouring points, from which the radii follow.
        categories: of objects, for "part".
        dropout: rate between the last layers; none: as published (0.6 whole clouds, 0.4 parts), 0.5 for scenes.
    """
    if task == "classification":
        if in_channels != 6:
            raise ModelError(f"acnn: whole clouds have 6 channels (x, y, z and the normal), not {in_channels}")
        return ACNN(classes, 0.6 if dropout is None else dropout)
    if task == "part":
        if in_channels != 6 + categories:
            raise ModelError(
                f"acnn: parts have {6 + categories} channels (x, y, z, normal, category), not {in_channels}"
            )
        return ACNNParts(classes, categories, 0.4 if dropout is None else dropout)
    if task != "scene":
        raise ModelError(f"acnn: task is scene, part or classification, not {task!r}")
    require_channels("acnn", in_channels, 6, "x, y, z and the normal")
    radii = [(inner, middle, outer) for (inner, middle), (_, outer) in radii_for(spacing, len(_SCENE_POINTS))]
    return ACNNScene(classes, in_channels, radii, 0.5 if dropout is None else dropout)
