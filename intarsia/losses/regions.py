"""Losses that compare regions class by class.

All of them take the softmax, sum over the valid elements of the batch (or of each sample), and average over the
classes that the target holds. A mean that counted absent classes too would reward batches for what they do not contain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor

from intarsia.errors import UsageError
from intarsia.losses.base import (
    ClassLoss,
    ClassOptions,
    check_choice,
    check_option,
    check_options,
    register_loss,
)
from intarsia.losses.sums import ratio, region_sums


class RegionOptions(ClassOptions, total=False):
    """Options of `RegionLoss`."""

    per_sample: bool


class RegionLoss(ClassLoss):
    """Base of the losses that are made of sums per class.

    Args:
        per_sample: take the loss of each sample and average those that have labels, instead of one loss of all the
            batch's elements together.
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    power = 1

    def __init__(self, *, per_sample: bool = False, **shared: Unpack[ClassOptions]) -> None:
        super().__init__(**shared)
        self.per_sample = per_sample

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        chosen = self.chosen(logits.shape[1])
        sums = (entry[:, chosen] for entry in region_sums(logits, target, self.ignore_index, power=self.power))
        overlap, mass, count = sums if self.per_sample else (entry.sum(0, keepdim=True) for entry in sums)
        known = (count > 0).any(1)
        return self.compare(overlap, mass, count).where(known, 0).sum() / known.sum().clamp(min=1)

    def compare(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        """The loss (R,) of each of R regions of the batch from (R, C) sums; see `region_sums`."""
        raise NotImplementedError


class MeanOptions(RegionOptions, total=False):
    """Options of `OverlapLoss`."""

    average: Literal["macro", "micro"]
    weights: Sequence[float] | None


class OverlapLoss(RegionLoss):
    """Base of the losses that are a mean of classes.

    Args:
        average: "macro", the mean of the present classes' losses, or "micro", the loss of all classes' elements
            together, in which frequent classes count more.
        weights: in the mean, one non-negative weight a class that takes part; None weighs all alike. They are not the
            `class_weights` of elements, which a recipe may count.
        shared: `per_sample`, `classes` and `ignore_index`, see `RegionLoss`.
    """

    def __init__(
        self,
        *,
        average: Literal["macro", "micro"] = "macro",
        weights: Sequence[float] | None = None,
        **shared: Unpack[RegionOptions],
    ) -> None:
        super().__init__(**shared)
        check_choice("average", average, ("macro", "micro"))
        if weights is not None and average == "micro":
            raise UsageError("loss option weights belongs to the mean of classes, which average micro does not take")
        if weights is not None:
            check_options("weights", weights)
        self.average = average
        self.weights = weights

    def compare(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        if self.average == "micro":
            overlap, mass, count = (entry.sum(1, keepdim=True) for entry in (overlap, mass, count))
        weight = (count > 0).to(mass.dtype)
        if self.weights is not None:
            if len(self.weights) != count.shape[1]:
                raise UsageError(f"{self.name}: {len(self.weights)} weights for {count.shape[1]} classes")
            weight = weight * torch.tensor(self.weights, dtype=mass.dtype, device=mass.device)
        return ratio((self.distance(overlap, mass, count) * weight).sum(1), weight.sum(1))

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        """(R, C) 0 for a perfect prediction of a class, up to 1 for none of it."""
        raise NotImplementedError


@register_loss("dice")
class Dice(OverlapLoss):
    """Soft Dice loss, averaged over present classes.

    Per class with probabilities p, one-hot target t and sums over valid elements:
    1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), or with the squares of the V-Net (Milletari et al. 2016,
    arXiv:1606.04797, section 3) 1 - (2 sum(p t) + smooth) / (sum(p^2) + sum(t^2) + smooth).

    Args:
        smooth: added to numerator and denominator, in elements.
        squared: square the terms of the denominator.
        shared: `average`, `weights`, `per_sample`, `classes` and `ignore_index`, see `OverlapLoss`.
    """

    def __init__(self, *, smooth: float = 1.0, squared: bool = False, **shared: Unpack[MeanOptions]) -> None:
        super().__init__(**shared)
        check_option("smooth", smooth, 0)
        self.smooth = smooth
        self.power = 2 if squared else 1

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        return ratio(mass + count - 2 * overlap, mass + count + self.smooth)


@register_loss("generalised_dice")
class GeneralisedDice(RegionLoss):
    """Generalised Dice loss (Sudre et al. 2017, arXiv:1707.03237): classes weighted by one over their squared size.

    1 - 2 sum_c w_c sum(p t) / sum_c w_c (sum(p) + sum(t)) with w_c = 1 / sum(t)^2. Classes that the target lacks,
    whose weight would be infinite, take no part.

    Args:
        shared: `per_sample`, `classes` and `ignore_index`, see `RegionLoss`.
    """

    def compare(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        weight = (count > 0) / count.clamp(min=1).square()
        return 1 - 2 * ratio((weight * overlap).sum(1), (weight * (mass + count)).sum(1))


@register_loss("tversky")
class Tversky(OverlapLoss):
    """Tversky loss (Salehi et al. 2017, arXiv:1706.05721), averaged over present classes.

    Per class, with soft true positives TP = sum(p t), false positives FP = sum(p) - TP and false negatives
    FN = sum(t) - TP: 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth). Both at 0.5 give Dice (with twice the
    `smooth`), both at 1 Jaccard; beta above alpha favours recall.

    Args:
        alpha: weight of false positives, at least 0.
        beta: weight of false negatives, at least 0.
        smooth: added to numerator and denominator, in elements.
        shared: `average`, `weights`, `per_sample`, `classes` and `ignore_index`, see `OverlapLoss`.
    """

    def __init__(
        self, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0, **shared: Unpack[MeanOptions]
    ) -> None:
        super().__init__(**shared)
        check_option("alpha", alpha, 0)
        check_option("beta", beta, 0)
        check_option("smooth", smooth, 0)
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        wrong = self.alpha * (mass - overlap) + self.beta * (count - overlap)
        return ratio(wrong, overlap + wrong + self.smooth)


class TverskyOptions(MeanOptions, total=False):
    """Options of `Tversky`."""

    alpha: float
    beta: float
    smooth: float


@register_loss("focal_tversky")
class FocalTversky(Tversky):
    """Focal Tversky loss (Abraham & Khan 2019, arXiv:1810.07842): each class's Tversky loss to the power 1 / gamma.

    The paper sums over classes; here it is the mean over present ones. At a perfect fit, where a root has no slope,
    the gradient is 0.

    Args:
        gamma: above 0; more than 1 draws attention to classes that are nearly right already.
        shared: `alpha`, `beta`, `smooth` and all others of `Tversky`.
    """

    def __init__(self, *, gamma: float = 4 / 3, **shared: Unpack[TverskyOptions]) -> None:
        super().__init__(**shared)
        check_option("gamma", gamma, 0, above=True)
        self.gamma = gamma

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        plain = super().distance(overlap, mass, count)
        perfect = plain <= 0
        return plain.masked_fill(perfect, 1) ** (1 / self.gamma) * ~perfect


@register_loss("jaccard")
class Jaccard(OverlapLoss):
    """Soft Jaccard (IoU) loss (Rahman & Wang 2016), averaged over present classes.

    Per class with probabilities p, one-hot target t and sums over valid elements:
    1 - (sum(p t) + smooth) / (sum(p) + sum(t) - sum(p t) + smooth).

    Args:
        smooth: added to numerator and denominator, in elements.
        shared: `average`, `weights`, `per_sample`, `classes` and `ignore_index`, see `OverlapLoss`.
    """

    def __init__(self, *, smooth: float = 1.0, **shared: Unpack[MeanOptions]) -> None:
        super().__init__(**shared)
        check_option("smooth", smooth, 0)
        self.smooth = smooth

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        return ratio(mass + count - 2 * overlap, mass + count - overlap + self.smooth)
