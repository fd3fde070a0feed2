"""Losses that compare regions class by class."""

from __future__ import annotations

import torch
from torch import Tensor

from intarsia.losses.base import Loss, register_loss


@register_loss("dice")
class Dice(Loss):
    """Soft Dice loss (Milletari et al. 2016, arXiv:1606.04797) over the whole batch, averaged over present classes.

    Per class c with probabilities p, one-hot target t and the sums taken over valid elements of the batch:
    1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth). Classes that the batch's target lacks are left out of the
    mean; a mean over absent classes would reward batches for what they do not contain.

    Args:
        smooth: added to numerator and denominator.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, smooth: float = 1.0, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        self.smooth = smooth

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        classes = logits.shape[1]
        probabilities = logits.softmax(dim=1).transpose(0, 1).reshape(classes, -1)
        labels = target.reshape(-1)
        valid = labels != self.ignore_index
        probabilities = probabilities * valid
        # The probability of the true class, summed by class: the same as a product with the one-hot target, which
        # would take classes times the memory.
        safe = torch.where(valid, labels, 0)
        hit = probabilities.gather(0, safe[None])[0]
        overlap = hit.new_zeros(classes).index_add(0, safe, hit)
        count = torch.bincount(labels[valid], minlength=classes).to(hit.dtype)
        score = (2 * overlap + self.smooth) / (probabilities.sum(dim=1) + count + self.smooth)
        present = count > 0
        return ((1 - score) * present).sum() / present.sum().clamp(min=1)
