"""Pieces that the networks of points share. Inside, features are rows: (B, N, C)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import SegmentationModel
from intarsia.models.synchronised import normalised

OF_WHOLES = "it tells what a cloud is as a whole, and nothing here predicts that from a file"
"""Why networks of whole clouds are not exported."""


class CloudModel(SegmentationModel):
    """Base of every network of points: ``forward(x)`` maps (N, in_channels, P) to logits (N, C, P).

    Channels 0 to 2 are x, y and z in metres from the block's own origin; the rest are features. Networks of whole
    clouds (classification) give (N, C).
    """

    unexportable = ""
    input_name = "points"

    def points(self, rows: Tensor) -> Tensor:
        """(N, P, in_channels) rows to (N, P, C), or (N, C) for whole clouds."""
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        scores = self.points(x.transpose(1, 2).contiguous())
        return scores.transpose(1, 2) if scores.ndim == 3 else scores


class RowNorm(nn.BatchNorm1d):
    """Batch-norm over all rows of (..., C).

    A single row has no statistics; the layer then normalises with its running ones instead of failing.
    """

    @property
    def synchronised(self) -> type[nn.Module]:
        """Its form for a training of several processes."""
        return SyncedRowNorm

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim > 2:
            return self.forward(input.flatten(0, -2)).view(input.shape)
        if self.training and len(input) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Let the running statistics follow those of a batch of `count` rows, as `forward` does in training."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class SyncedRowNorm(RowNorm):
    """`RowNorm` whose statistics are those of all processes' rows together, however many each of them has."""

    def forward(self, input: Tensor) -> Tensor:
        return normalised(self, input.reshape(-1, input.shape[-1])).view(input.shape)


class Shared(nn.Module):
    """One layer of a shared MLP: the same linear map of every row, batch-norm, activation.

    Some of the inputs may be the same for all rows of a cloud; their part of the product is then taken once a cloud.

    Args:
        inputs: features of a row.
        outputs: features of the result.
        slope: of the activation below zero; 1 leaves it out.
        bias: whether the linear map has one, which the norm makes superfluous.
    """

    def __init__(self, inputs: int, outputs: int, *, slope: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.norm = RowNorm(outputs)
        self.slope = slope
        nn.init.xavier_uniform_(self.linear.weight)
        if bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, common: Tensor | None = None) -> Tensor:
        """(B, ..., C) rows, and optionally (B, D) features that follow them in every row of a cloud."""
        weight, bias = self.folded()
        if common is None:
            y = F.linear(x, weight, bias)
        else:
            own = x.shape[-1]
            y = F.linear(x, weight[:, :own])
            y += F.linear(common, weight[:, own:], bias).view(x.shape[0], *[1] * (x.ndim - 2), -1)
        if not self.training:
            return self.activate(y)
        # The norm of rows is no view of another tensor, which autograd would copy for the activation in place.
        return self.activate(self.norm(y.flatten(0, -2))).view(y.shape)

    def activate(self, y: Tensor) -> Tensor:
        """The activation, in place."""
        if self.slope == 1:
            return y
        return F.leaky_relu_(y, self.slope) if self.slope else F.relu_(y)

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Weight (outputs, inputs) and bias, if any; when nothing is learnt, the norm is part of them."""
        norm = self.norm
        if self.training or norm.running_var is None or norm.running_mean is None:
            return self.linear.weight, self.linear.bias
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = -norm.running_mean if self.linear.bias is None else self.linear.bias - norm.running_mean
        return self.linear.weight * scale[:, None], shift * scale + norm.bias


class MLP(nn.Sequential):
    """Shared layers one after the other."""

    def __init__(self, inputs: int, widths: Sequence[int], *, bias: bool = True) -> None:
        sizes = [inputs, *widths]
        super().__init__(*(Shared(a, b, bias=bias) for a, b in pairwise(sizes)))


def gather(features: Tensor, index: Tensor) -> Tensor:
    """Rows (B, N, C) at indices (B, ...): (B, ..., C)."""
    batch, count, width = features.shape
    offset = torch.arange(batch, device=index.device).view(-1, *[1] * (index.ndim - 1)) * count
    flat = features.reshape(batch * count, width).index_select(0, (index + offset).reshape(-1))
    return flat.view(*index.shape, width)


def require_channels(name: str, in_channels: int, least: int, what: str) -> None:
    """Raise a ModelError unless there are enough input channels."""
    if in_channels < least:
        raise ModelError(f"{name}: in_channels must be at least {least} ({what}), not {in_channels}")
