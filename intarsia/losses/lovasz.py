"""The Lovász extensions of the Jaccard loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from intarsia.losses.base import ClassLoss, ClassOptions, register_loss
from intarsia.losses.sums import class_counts, masked_softmax


class Extension(ClassLoss):
    """Base of the losses that are a Lovász extension: errors of each class's elements, sorted and weighed by rank.

    Args:
        per_sample: take the IoU of each sample and average those that have labels, instead of the IoU of the batch.
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    margin: ClassVar[bool] = False

    def __init__(self, *, per_sample: bool = False, **shared: Unpack[ClassOptions]) -> None:
        super().__init__(**shared)
        self.per_sample = per_sample

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        samples, classes = logits.shape[:2]
        labels = target.reshape(samples, -1)
        scores = self.scores(logits.reshape(samples, classes, -1), labels != self.ignore_index)
        chosen = self.chosen(classes)
        present = class_counts(target, classes, self.ignore_index)[:, chosen] > 0
        present = present if self.per_sample else present.any(0, keepdim=True)
        # Mean over the classes of each region, then over the regions that have one.
        shares = present / present.sum(1, keepdim=True).clamp(min=1) / present.any(1).sum().clamp(min=1)
        regions = [
            (slice(n, n + 1) if self.per_sample else slice(None), chosen[place], float(shares[n, place]))
            for n, place in present.nonzero().tolist()
        ]
        loss: Tensor = _Extension.apply(scores, labels, self.ignore_index, regions, self.margin)
        return loss

    def scores(self, logits: Tensor, valid: Tensor) -> Tensor:
        """What errors are computed from, for logits (N, C, P): probabilities, or margins."""
        raise NotImplementedError


@register_loss("lovasz")
class Lovasz(Extension):
    """Lovász-softmax loss (Berman et al. 2018, arXiv:1705.08790), averaged over present classes.

    Per class, the errors |t - p| of all valid elements are sorted, and the loss is the piecewise linear interpolation
    of the Jaccard loss 1 - IoU between hard predictions: of a hard prediction it is exactly 1 - IoU. It trains best
    after, or together with, cross-entropy.

    Args:
        shared: `per_sample`, `classes` and `ignore_index`, see `Extension`.
    """

    def scores(self, logits: Tensor, valid: Tensor) -> Tensor:
        return masked_softmax(logits, valid)


@register_loss("lovasz_hinge")
class LovaszHinge(Extension):
    """Lovász hinge (Yu & Blaschko 2015; Berman et al. 2018, section 3.1), each class against all others.

    Errors are max(0, 1 - m) of elements of the class and max(0, 1 + m) of others, with the margin
    m = log p - log(1 - p) of the class's probability. Of two classes, m is the difference of their logits; with
    ``classes: [1]`` it is the paper's loss of a binary problem.

    Args:
        shared: `per_sample`, `classes` and `ignore_index`, see `Extension`.
    """

    margin = True

    def scores(self, logits: Tensor, valid: Tensor) -> Tensor:
        if logits.shape[1] == 1:
            return 0 * logits + torch.inf  # certain, whatever the logit
        top = logits.argmax(1, keepdim=True)
        whole = logits.logsumexp(1, keepdim=True)
        # log(1 - p) of a probability near 1 loses its digits: of the likeliest class it is summed from the others.
        others = logits.scatter(1, top, -torch.inf).logsumexp(1, keepdim=True)
        rest = whole + torch.log1p(-(logits - whole).exp().scatter(1, top, 0))
        return logits - rest.scatter(1, top, others)


class _Extension(torch.autograd.Function):
    """Sum over regions of share x loss, each all elements of some samples against one class.

    Scores are (N, C, P): probabilities, whose errors are |t - p|, or margins, whose errors are hinges. Labels: (N, P).
    """

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, labels: Tensor, ignore: int, regions: list[tuple[slice, int, float]], margin: bool
    ) -> Tensor:
        total = scores.new_zeros(())
        slopes = torch.zeros_like(scores)
        for samples, index, share in regions:
            flat = labels[samples].reshape(-1)
            own = flat == index
            error = scores[samples, index].reshape(-1)
            error = torch.where(own, 1 - error, 1 + error if margin else error)
            if margin:
                error = error.relu()
            # An ignored element is of no class and has an error of 0, which comes last and adds nothing.
            error = error.masked_fill(flat == ignore, 0)
            order = _descending(error)
            slope = torch.empty_like(error)
            slope.scatter_(0, order, _jaccard_steps(own.gather(0, order), error.dtype))
            total += share * (slope @ error)
            if margin:
                slope = slope * (error > 0)
            slopes[samples, index] = share * torch.where(own, -slope, slope).reshape(slopes[samples, index].shape)
        ctx.save_for_backward(slopes)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0], None, None, None, None


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
