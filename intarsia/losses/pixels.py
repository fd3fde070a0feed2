"""Losses that sum over elements, each weighted by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.errors import UsageError
from intarsia.losses.base import Loss, check_choice, check_option, check_options, register_loss
from intarsia.losses.sums import ratio, sum_of_blocks


class ElementOptions(TypedDict, total=False):
    """Options of `ElementLoss`."""

    class_weights: Sequence[float] | None
    divide_by: Literal["weights", "elements"]
    ignore_index: int


class ElementLoss(Loss):
    """Base of the losses that weigh elements by their class.

    Args:
        class_weights: one non-negative weight a class; None weighs all alike.
        divide_by: what the sum is divided by: the "weights" of the elements, or their number ("elements"), so that
            weights also make a loss larger or smaller.
        ignore_index: label of elements that contribute nothing.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | None = None,
        divide_by: Literal["weights", "elements"] = "weights",
        ignore_index: int = 255,
    ) -> None:
        super().__init__(ignore_index=ignore_index)
        check_choice("divide_by", divide_by, ("weights", "elements"))
        self.divide_by = divide_by
        if class_weights is not None:
            check_options("class_weights", class_weights)
        weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def weights_for(self, logits: Tensor) -> Tensor | None:
        """(C,) class weights in the logits' precision, or None.

        Raises:
            UsageError: there are not as many as classes.
        """
        if self.class_weights is None:
            return None
        if len(self.class_weights) != logits.shape[1]:
            raise UsageError(f"{self.name}: {len(self.class_weights)} class_weights for {logits.shape[1]} classes")
        return self.class_weights.to(logits.dtype)

    def weight_of(self, logits: Tensor, target: Tensor) -> Tensor:
        """(N, *S) weight of every element: that of its class, 0 where it is ignored."""
        valid = target != self.ignore_index
        weights = self.weights_for(logits)
        return valid.to(logits.dtype) if weights is None else weights[target.where(valid, 0)] * valid

    def mean(self, total: Tensor, weight: Tensor, counted: Tensor) -> Tensor:
        """A weighted sum over elements, divided by their weights or their number.

        Args:
            total: the sum.
            weight: (N, *S), 0 where an element is not counted.
            counted: (N, *S) whether it is.
        """
        return ratio(total, weight.sum() if self.divide_by == "weights" else counted.sum().to(weight.dtype))


@register_loss("cross_entropy")
class CrossEntropy(ElementLoss):
    """Cross-entropy, averaged over valid elements by their class weight.

    With w the class weights and V the valid elements: sum over V of w[t] * -log p[t], over the sum over V of w[t].
    Label smoothing e (Szegedy et al. 2016, arXiv:1512.00567, section 7) takes the share e of each element's target
    away from its class and spreads it over all classes evenly: (1 - e) w[t] * -log p[t] + e / C sum_c w[c] * -log p[c].

    Args:
        label_smoothing: e, 0..1.
        shared: `class_weights`, `divide_by` and `ignore_index`, see `ElementLoss`.
    """

    def __init__(self, *, label_smoothing: float = 0.0, **shared: Unpack[ElementOptions]) -> None:
        super().__init__(**shared)
        check_option("label_smoothing", label_smoothing, 0, 1)
        self.label_smoothing = label_smoothing

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        total = F.cross_entropy(
            logits,
            target,
            weight=self.weights_for(logits),
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        return self.mean(total, self.weight_of(logits, target), target != self.ignore_index)


@register_loss("focal")
class Focal(ElementLoss):
    """Focal loss on softmax probabilities (Lin et al. 2017, arXiv:1708.02002, equation 5), as a weighted mean.

    The sum over valid elements of w[t] (1 - p[t])^gamma * -log p[t], over the sum of w[t]; gamma 0 is cross-entropy.
    The paper's alpha is `class_weights` here. What other libraries call focal loss is often `SigmoidFocal`.

    Args:
        gamma: how strongly elements that are right already are played down; at least 0.
        shared: `class_weights`, `divide_by` and `ignore_index`, see `ElementLoss`.
    """

    def __init__(self, *, gamma: float = 2.0, **shared: Unpack[ElementOptions]) -> None:
        super().__init__(**shared)
        check_option("gamma", gamma, 0)
        self.gamma = gamma

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        weight = self.weight_of(logits, target)
        nll = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        return self.mean((weight * _miss(nll) ** self.gamma * nll).sum(), weight, target != self.ignore_index)


@register_loss("sigmoid_focal")
class SigmoidFocal(Loss):
    """Focal loss of one sigmoid a class, each against all other classes (Lin et al. 2017, arXiv:1708.02002).

    The mean over valid elements and classes of -a (1 - q)^gamma log q, where q is the sigmoid of the class's logit and
    a is alpha for the class of the element, and 1 - sigmoid and 1 - alpha for every other class. The logits' softmax
    plays no part in it; at prediction the largest logit still wins. The paper divides by the number of objects.

    Args:
        gamma: how strongly elements that are right already are played down; at least 0.
        alpha: weight of the element's own class, 0..1, against 1 - alpha for the others; None weighs all alike, by 1.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, gamma: float = 2.0, alpha: float | None = 0.25, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        check_option("gamma", gamma, 0)
        if alpha is not None:
            check_option("alpha", alpha, 0, 1)
        self.gamma = gamma
        self.alpha = alpha

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        samples, classes = logits.shape[:2]
        rows = samples * classes
        labels = target.reshape(samples, -1)
        index = torch.arange(rows, device=logits.device)
        total = sum_of_blocks(
            lambda x, row: self._rows(x, labels[row // classes], (row % classes)[:, None]),
            logits.reshape(rows, -1),
            index,
        )
        return ratio(total, ((labels != self.ignore_index).sum() * classes).to(total.dtype))

    def _rows(self, x: Tensor, labels: Tensor, row_class: Tensor) -> Tensor:
        own = labels == row_class
        nll = F.softplus(x.where(~own, -x)).masked_fill(labels == self.ignore_index, 0)
        value = _miss(nll) ** self.gamma * nll
        if self.alpha is not None:
            value = value * torch.where(own, self.alpha, 1 - self.alpha)
        return value.sum()


@register_loss("ohem_cross_entropy")
class OhemCrossEntropy(ElementLoss):
    """Cross-entropy over the hard elements of the batch only: online hard example mining (Shrivastava et al. 2016).

    Hard are the elements whose class has a probability of at most `threshold` (Wu et al. 2016, arXiv:1605.06885),
    and however few these are, at least the share `min_kept` of the valid ones, those of the least probability. The
    result is their mean by class weight.

    Args:
        threshold: probability, above 0 and at most 1; 1 keeps all.
        min_kept: smallest share of the valid elements to keep, 0..1.
        shared: `class_weights`, `divide_by` and `ignore_index`, see `ElementLoss`.
    """

    def __init__(self, *, threshold: float = 0.7, min_kept: float = 0.1, **shared: Unpack[ElementOptions]) -> None:
        super().__init__(**shared)
        check_option("threshold", threshold, 0, 1, above=True)
        check_option("min_kept", min_kept, 0, 1)
        self.threshold = threshold
        self.min_kept = min_kept

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        nll = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        valid = target != self.ignore_index
        limit = -math.log(self.threshold)
        candidates = nll.detach()[valid]
        keep = math.ceil(self.min_kept * candidates.numel())
        # "not below" instead of "at least", so that a NaN counts as hard and shows.
        if keep and int((~(candidates < limit)).sum()) < keep:
            limit = float(candidates.kthvalue(candidates.numel() - keep + 1).values)
        hard = valid & ~(nll.detach() < limit)
        weight = self.weight_of(logits, target) * hard
        return self.mean((weight * nll).sum(), weight, hard)


def _miss(nll: Tensor) -> Tensor:
    """1 - p of -log p >= 0; kept above 0, where a root's slope would be infinite."""
    return (-torch.expm1(-nll)).clamp(min=torch.finfo(nll.dtype).tiny)
