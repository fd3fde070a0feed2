"""Losses that compare regions class by class.

All of them take the softmax, sum over the valid elements of the batch (or of each sample), and average over the
classes that the target holds. A mean that counted absent classes too would reward batches for what they do not contain.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from intarsia.losses.base import Loss, check_option, register_loss
from intarsia.losses.sums import ratio, region_sums


class RegionLoss(Loss):
    """Base of the losses that are made of sums per class.

    Args:
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    power = 1

    def __init__(self, *, per_sample: bool = False, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        self.per_sample = per_sample

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        sums = region_sums(logits, target, self.ignore_index, power=self.power)
        overlap, mass, count = sums if self.per_sample else (entry.sum(0, keepdim=True) for entry in sums)
        return self.compare(overlap, mass, count)

    def compare(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        """The loss of (R, C) sums of R regions of the batch; see `region_sums`."""
        present = count > 0
        return (self.distance(overlap, mass, count) * present).sum() / present.sum().clamp(min=1)

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        """(R, C) 0 for a perfect prediction of a class, up to 1 for none of it."""
        raise NotImplementedError


@register_loss("dice")
class Dice(RegionLoss):
    """Soft Dice loss, averaged over present classes.

    Per class with probabilities p, one-hot target t and sums over valid elements:
    1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), or with the squares of the V-Net (Milletari et al. 2016,
    arXiv:1606.04797, section 3) 1 - (2 sum(p t) + smooth) / (sum(p^2) + sum(t^2) + smooth).

    Args:
        smooth: added to numerator and denominator, in elements.
        squared: square the terms of the denominator.
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(
        self, *, smooth: float = 1.0, squared: bool = False, per_sample: bool = False, ignore_index: int = 255
    ) -> None:
        super().__init__(per_sample=per_sample, ignore_index=ignore_index)
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
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def compare(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        weight = (count > 0) / count.clamp(min=1).square()
        known = (count > 0).any(1)
        loss = 1 - 2 * (weight * overlap).sum(1) / (weight * (mass + count)).sum(1).where(known, 1)
        return loss.where(known, 0).sum() / known.sum().clamp(min=1)


@register_loss("tversky")
class Tversky(RegionLoss):
    """Tversky loss (Salehi et al. 2017, arXiv:1706.05721), averaged over present classes.

    Per class, with soft true positives TP = sum(p t), false positives FP = sum(p) - TP and false negatives
    FN = sum(t) - TP: 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth). Both at 0.5 give Dice (with twice the
    `smooth`), both at 1 Jaccard; beta above alpha favours recall.

    Args:
        alpha: weight of false positives, at least 0.
        beta: weight of false negatives, at least 0.
        smooth: added to numerator and denominator, in elements.
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        per_sample: bool = False,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(per_sample=per_sample, ignore_index=ignore_index)
        check_option("alpha", alpha, 0)
        check_option("beta", beta, 0)
        check_option("smooth", smooth, 0)
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        wrong = self.alpha * (mass - overlap) + self.beta * (count - overlap)
        return ratio(wrong, overlap + wrong + self.smooth)


@register_loss("focal_tversky")
class FocalTversky(Tversky):
    """Focal Tversky loss (Abraham & Khan 2019, arXiv:1810.07842): each class's Tversky loss to the power 1 / gamma.

    The paper sums over classes; here it is the mean over present ones. At a perfect fit, where a root has no slope,
    the gradient is 0.

    Args:
        gamma: above 0; more than 1 draws attention to classes that are nearly right already.
        alpha: weight of false positives, at least 0.
        beta: weight of false negatives, at least 0.
        smooth: added to numerator and denominator, in elements.
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(
        self,
        *,
        gamma: float = 4 / 3,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        per_sample: bool = False,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(alpha=alpha, beta=beta, smooth=smooth, per_sample=per_sample, ignore_index=ignore_index)
        check_option("gamma", gamma, 0, above=True)
        self.gamma = gamma

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        plain = super().distance(overlap, mass, count)
        perfect = plain <= 0
        return plain.masked_fill(perfect, 1) ** (1 / self.gamma) * ~perfect


@register_loss("jaccard")
class Jaccard(RegionLoss):
    """Soft Jaccard (IoU) loss (Rahman & Wang 2016), averaged over present classes.

    Per class with probabilities p, one-hot target t and sums over valid elements:
    1 - (sum(p t) + smooth) / (sum(p) + sum(t) - sum(p t) + smooth).

    Args:
        smooth: added to numerator and denominator, in elements.
        per_sample: sum over each sample and average the samples, instead of summing over the whole batch.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, smooth: float = 1.0, per_sample: bool = False, ignore_index: int = 255) -> None:
        super().__init__(per_sample=per_sample, ignore_index=ignore_index)
        check_option("smooth", smooth, 0)
        self.smooth = smooth

    def distance(self, overlap: Tensor, mass: Tensor, count: Tensor) -> Tensor:
        return ratio(mass + count - 2 * overlap, mass + count - overlap + self.smooth)
