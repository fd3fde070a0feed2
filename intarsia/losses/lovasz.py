"""The Lovász extension of the Jaccard loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from intarsia.losses.base import Loss, register_loss
from intarsia.losses.sums import class_counts, masked_softmax


@register_loss("lovasz")
class Lovasz(Loss):
    """Lovász-softmax loss (Berman et al. 2018, arXiv:1705.08790), averaged over present classes.

    Per class, the errors |t - p| of all valid elements are sorted, and the loss is the piecewise linear interpolation
    of the Jaccard loss 1 - IoU between hard predictions: of a hard prediction it is exactly 1 - IoU. It trains best
    after, or together with, cross-entropy.

    Args:
        per_sample: take the IoU of each sample and average the samples, instead of the IoU of the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, per_sample: bool = False, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        self.per_sample = per_sample

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        samples, classes = logits.shape[:2]
        labels = target.reshape(samples, -1)
        p = masked_softmax(logits.reshape(samples, classes, -1), labels != self.ignore_index)
        counts = class_counts(target, classes, self.ignore_index)
        # An ignored element has p = 0 and is of no class: an error of 0, which comes last and adds nothing.
        if self.per_sample:
            regions = [(slice(n, n + 1), index) for n, index in counts.nonzero().tolist()]
        else:
            regions = [(slice(None), index) for index in counts.sum(0).nonzero()[:, 0].tolist()]
        loss: Tensor = _Extension.apply(p, labels, regions)
        return loss


class _Extension(torch.autograd.Function):
    """Mean over regions, each all elements of some samples against one class; p is (N, C, P), labels (N, P)."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, labels: Tensor, regions: list[tuple[slice, int]]) -> Tensor:
        total = p.new_zeros(())
        slopes = torch.zeros_like(p)
        for samples, index in regions:
            own = labels[samples].reshape(-1) == index
            error = p[samples, index].reshape(-1)
            error = torch.where(own, 1 - error, error)
            order = _descending(error)
            slope = torch.empty_like(error)
            slope.scatter_(0, order, _jaccard_steps(own.gather(0, order), error.dtype))
            total += slope @ error
            slopes[samples, index] = torch.where(own, -slope, slope).reshape(slopes[samples, index].shape)
        ctx.save_for_backward(slopes.div_(max(1, len(regions))))
        return total / max(1, len(regions))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0], None, None


def _jaccard_steps(own: Tensor, dtype: torch.dtype) -> Tensor:
    """How much the Jaccard loss grows with each further error, the worst first (algorithm 1 of the paper).

    With I and U the intersection and union after an error: one on the class takes 1 / U away, another one multiplies
    IoU by (U - 1) / U. Differences of rounded IoUs, as in the paper's code, would lose most of their digits.
    """
    missed = own.cumsum(0)
    size = missed[-1]
    union = (size + torch.arange(1, len(own) + 1, device=own.device) - missed).to(dtype)
    intersection = (size - missed).to(dtype)
    return torch.where(own, 1 / union, intersection / (union * (union - 1)).clamp(min=1))


def _descending(error: Tensor) -> Tensor:
    """The order of errors >= 0 from the largest on, NaN first."""
    if error.device.type != "cpu" or error.dtype != torch.float32:
        return error.argsort(descending=True)
    # The bits of positive floats sort like integers. NumPy sorts 64-bit integers ten times faster than torch finds an
    # order, so each carries its index along.
    keys = (error.numpy().view(np.int32).astype(np.int64) << 32) | np.arange(len(error))
    keys.sort()
    return torch.from_numpy(keys[::-1] & 0xFFFFFFFF)
