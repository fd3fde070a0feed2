"""MaskFormer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.contract import ImageModel, Queries
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.image.masks import MASK_STRIDE, MaskClassifier
from intarsia.models.layers import group_norm
from intarsia.models.registry import register

_DEEPEST = 32
_LATERAL_STAGES = (16, 8, MASK_STRIDE)
_HEADS = 8
_EXPANSION = 8
_TEMPERATURE = 10_000


class MaskFormer(MaskClassifier):
    """Queries that look at the deepest map, and a pyramid that their masks are made of; see `maskformer`."""

    def __init__(
        self, encoder: Encoder, *, classes: int, channels: int, queries: int, layers: int, dropout: float
    ) -> None:
        super().__init__(channels, classes=classes, activation=nn.ReLU(), channels=channels)
        self.encoder = encoder
        self.stem = _smooth(require_stage(encoder, _DEEPEST), channels)
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(require_stage(encoder, stage), channels, 1, bias=False), group_norm(channels))
            for stage in _LATERAL_STAGES
        )
        self.smooths = nn.ModuleList(_smooth(channels, channels) for _ in _LATERAL_STAGES)
        self.features = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(require_stage(encoder, _DEEPEST), channels, 1)
        self.queries = nn.Parameter(torch.randn(queries, channels))
        self.layers = nn.ModuleList(_Layer(channels, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)

    def answers(self, x: Tensor) -> list[Queries]:
        maps = self.encoder(x)
        features = self._pyramid(maps)
        seen = self.project(maps[_DEEPEST])
        places = sine_positions(seen).flatten(2).transpose(1, 2)
        seen = seen.flatten(2).transpose(1, 2)
        asked = self.queries.expand(x.shape[0], -1, -1)
        told = torch.zeros_like(asked)
        found = []
        for layer in self.layers:
            told = layer(told, asked, seen, places)
            if self.training:
                found.append(self.answer(self.norm(told), features))
        return found[::-1] or [self.answer(self.norm(told), features)]

    def _pyramid(self, maps: dict[int, Tensor]) -> Tensor:
        """(N, channels, h, w) features at stride 4 (section 3.2, pixel decoder)."""
        x = self.stem(maps[_DEEPEST])
        for stage, lateral, smooth in zip(_LATERAL_STAGES, self.laterals, self.smooths, strict=True):
            here = lateral(maps[stage])
            x = smooth(here + F.interpolate(x, size=here.shape[2:]))
        out: Tensor = self.features(x)
        return out


def _smooth(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), group_norm(outputs), nn.ReLU())


class _Layer(nn.Module):
    """DETR's decoder layer: queries attend to each other and to the map, each with a norm behind and a shortcut."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.among = _Attention(width)
        self.across = _Attention(width)
        self.ffn = nn.Sequential(
            nn.Linear(width, _EXPANSION * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(_EXPANSION * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, asked: Tensor, seen: Tensor, places: Tensor) -> Tensor:
        """What queries know (N, Q, C), their own vectors, a map (N, P, C) and its positions -> what they know then."""
        named = x + asked
        x = self.norms[0](x + self.dropout(self.among(named, named, x)))
        x = self.norms[1](x + self.dropout(self.across(x + asked, seen + places, seen)))
        out: Tensor = self.norms[2](x + self.dropout(self.ffn(x)))
        return out


class _Attention(nn.Module):
    """Attention of several heads, whose keys and values may be of different tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.v, self.proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (_HEADS, part.shape[2] // _HEADS)).transpose(1, 2)
            for part in (self.q(queries), self.k(keys), self.v(values))
        )
        attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out


def sine_positions(x: Tensor) -> Tensor:
    """Positions of a map (N, C, h, w) as sines and cosines, (1, C, h, w), the rows' in the first half of the channels.

    A side counts as one turn, whatever its length (Carion et al. 2020, DETR, arXiv:2005.12872, appendix A.4).
    """
    half = x.shape[1] // 2
    wide = torch.promote_types(x.dtype, torch.float32)
    pair = torch.arange(half, device=x.device) // 2
    speed = torch.exp(pair.to(wide) * (-2 * math.log(_TEMPERATURE) / half))
    turns = []
    for side in x.shape[2:]:
        place = torch.arange(1, side + 1, device=x.device, dtype=wide) * (2 * math.pi / (side + 1e-6))
        angle = place[:, None] * speed
        waves = torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2)
        turns.append(waves.flatten(1).T.to(x.dtype))  # (half, side)
    rows, columns = turns
    shape = (half, *x.shape[2:])
    return torch.cat([rows[:, :, None].expand(shape), columns[:, None].expand(shape)])[None]


@register(paper="Cheng et al. 2021, Per-Pixel Classification is Not All You Need, arXiv:2107.06278")
def maskformer(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    channels: int = 256,
    queries: int = 100,
    layers: int = 6,
    dropout: float = 0.1,
    drop_path: float = 0.0,
) -> ImageModel:
    """MaskFormer: queries that each answer with a mask and one class for all of it, over any encoder (section 3).

    Args:
        classes: number of output channels.
        encoder: encoder name, of one with maps at strides 4, 8, 16 and 32.
        in_channels: channels of the input.
        channels: width of pyramid and transformer, a multiple of 32.
        queries: number of masks that a picture may be made of.
        layers: of the transformer's decoder; in training each of them is supervised.
        dropout: share of the transformer's values that are dropped in training.
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: the encoder lacks one of the strides.
    """
    return MaskFormer(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        queries=queries,
        layers=layers,
        dropout=dropout,
    )
