"""EoMT, the encoder-only mask transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Queries
from intarsia.models.encoders.vit import PATCH, PlainViT, run
from intarsia.models.image.masks import MASK_STRIDE, MaskClassifier
from intarsia.models.layers import resize
from intarsia.models.registry import register

_POWER = 0.9


class EoMT(MaskClassifier):
    """Queries that go through the last blocks of a plain vision transformer with the patches; see `eomt`."""

    encoder: PlainViT

    def __init__(self, encoder: PlainViT, *, classes: int, queries: int, blocks: int, masked: bool) -> None:
        width = encoder.channels[PATCH]
        super().__init__(width, classes=classes, activation=nn.GELU(), channels=width)
        if not 0 < blocks <= len(encoder.blocks):
            raise ModelError(f"blocks is 1 to {len(encoder.blocks)}, the depth of {encoder.name!r}, not {blocks}")
        self.encoder = encoder
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.enlarge = nn.Sequential(*(_Enlarging(width) for _ in range(int(math.log2(PATCH // MASK_STRIDE)))))
        self._joined = len(encoder.blocks) - blocks
        self._masked, self._progress = masked, 1.0
        for block in encoder.blocks[self._joined :]:
            attention = block.attn
            if hasattr(attention, "num_prefix_tokens"):  # what has no rotary position, stands before what has one
                attention.num_prefix_tokens = queries + encoder.prefix

    def anneal(self, progress: float) -> None:
        self._progress = progress

    def answers(self, x: Tensor) -> list[Queries]:
        size = [-(-side // MASK_STRIDE) for side in x.shape[2:]]
        tokens, positions, grid = self.encoder.embed(x)
        for block in self.encoder.blocks[: self._joined]:
            tokens = run(block, tokens, positions)
        tokens = torch.cat([self.queries.expand(x.shape[0], -1, -1), tokens], dim=1)
        found: list[Queries] = []
        for number, block in enumerate(self.encoder.blocks[self._joined :]):
            allowed = None
            if self.training:
                found.append(self._told(tokens, grid))
                share = self.masked_share(number)
                allowed = self._allowed(found[-1].masks, tokens.shape[1], grid, share) if share else None
            tokens = run(block, tokens, positions, allowed)
        found.append(self._told(tokens, grid))
        return [Queries(one.classes, one.masks[:, :, : size[0], : size[1]]) for one in reversed(found)]

    def masked_share(self, number: int) -> float:
        """The share of queries that look at their own masks alone, in the block of this number among the joined ones.

        It falls from 1 to 0, in one block after the other, while the training is between 1 / (B + 2) and
        (B + 1) / (B + 2) done, of B blocks (section 3.4, and the release's schedules). Prediction does without.
        """
        if not self._masked:
            return 0.0
        parts = len(self.encoder.blocks) - self._joined + 2
        done = min(max(self._progress * parts - (number + 1), 0.0), 1.0)
        return float((1 - done) ** _POWER)

    def _told(self, tokens: Tensor, grid: tuple[int, int]) -> Queries:
        """What the queries would say if these tokens were the last, of the whole padded picture."""
        tokens = self.encoder.norm(tokens)
        features: Tensor = self.enlarge(self.encoder.map_of(tokens, grid))
        return self.answer(tokens[:, : len(self.queries)], features)

    def _allowed(self, masks: Tensor, tokens: int, grid: tuple[int, int], share: float) -> Tensor:
        """(N, 1, T, T) bool: a share of the queries, drawn at random, may look at the patches of their masks alone."""
        count = len(self.queries)
        inside = (resize(masks.detach(), grid) > 0).flatten(2)
        free = torch.rand(inside.shape[:2], device=masks.device) >= share
        allowed = torch.ones(masks.shape[0], 1, tokens, tokens, dtype=torch.bool, device=masks.device)
        allowed[:, 0, :count, count + self.encoder.prefix :] = inside | free[:, :, None]
        return allowed


class _Enlarging(nn.Module):
    """A map of twice the sides: transposed convolution, GELU, 3x3 depthwise convolution, norm over the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.twice = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.smooth = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.smooth(F.gelu(self.twice(x)))
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


@register(paper="Kerssies et al. 2025, Your ViT is Secretly an Image Segmentation Model, arXiv:2503.19108")
def eomt(
    *,
    classes: int,
    encoder: str = "vit_small_patch14_reg4_dinov2",
    in_channels: int = 3,
    queries: int = 100,
    blocks: int = 3,
    masked: bool = True,
    drop_path: float = 0.0,
) -> ImageModel:
    """EoMT: a plain vision transformer whose last blocks take queries with the patches, and no decoder (section 3).

    Args:
        classes: number of output channels.
        encoder: timm's name of a plain vision transformer (ViT, DINOv2, DINOv3, EVA-02); its patches become 16 pixels.
        in_channels: channels of the input.
        queries: number of masks that a picture may be made of.
        blocks: how many of the last blocks take the queries; the paper's is 3 for S and B, 4 for L, 5 for g.
        masked: begin the training with queries that look at their own masks alone, and end it without.
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: the encoder is no plain vision transformer.
    """
    return EoMT(
        PlainViT(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        queries=queries,
        blocks=blocks,
        masked=masked,
    )
