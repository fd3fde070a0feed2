"""Match what queries answer with what is in the picture, one to one, and compare the pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.errors import UsageError, require
from intarsia.losses.base import Loss, check_choice, check_option, register_loss


@register_loss("matching")
class Matching(Loss):
    """Queries matched with the classes of a picture at least cost, then cross-entropy of classes and loss of masks.

    Each class that a picture shows is one segment (Cheng et al. 2021, MaskFormer, arXiv:2107.06278, sections 3.2 and
    3.3). The cost of a pair is its class's probability, negative, and the loss of its mask; the assignment of least
    cost is found by the Hungarian method. Matched queries learn class and mask of their segment, the others to be none.

    Args:
        mask: loss of a mask's pixels: "focal" (MaskFormer: gamma 2, alpha 0.25) or "cross_entropy" (EoMT).
        class_weight: weight of the classes' cross-entropy, and of the probability in the cost.
        mask_weight: weight of the mask's pixels; the paper's is 20 for focal, EoMT's 5 for cross-entropy.
        dice_weight: weight of the mask's Dice loss.
        no_object: weight of queries without a segment in the cross-entropy.
        ignore_index: label of elements that contribute nothing, to the cost neither.

    Raises:
        UsageError: an option out of its range, or no SciPy.
    """

    def __init__(
        self,
        *,
        mask: str = "focal",
        class_weight: float = 1.0,
        mask_weight: float = 20.0,
        dice_weight: float = 1.0,
        no_object: float = 0.1,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(ignore_index=ignore_index)
        check_choice("mask", mask, ("focal", "cross_entropy"))
        weights = {"class_weight": class_weight, "mask_weight": mask_weight, "dice_weight": dice_weight}
        for name, value in (weights | {"no_object": no_object}).items():
            check_option(name, value, 0)
        self._assign = require("scipy.optimize", "volumes").linear_sum_assignment
        self._pixels = _focal if mask == "focal" else _cross_entropy
        self.class_weight, self.mask_weight, self.dice_weight = class_weight, mask_weight, dice_weight
        self.no_object = no_object

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        maps: Mapping[str, Tensor] | None = None,
        queries: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """As `Loss.forward`; the logits are not looked at, but for their shape.

        Raises:
            UsageError: the model has no queries.
        """
        if queries is None:
            raise UsageError(
                "the loss 'matching' compares queries with segments, and this model has none: take it for eomt or "
                "maskformer, and for other models one that compares pixels, such as cross_entropy"
            )
        labels = self._labels(logits, target)
        with torch.autocast(logits.device.type, enabled=False):
            classes, masks = (given.to(torch.promote_types(given.dtype, torch.float32)) for given in queries)
            return self._of_batch(classes, masks.flatten(2), labels.flatten(1))

    def _of_batch(self, classes: Tensor, masks: Tensor, labels: Tensor) -> Tensor:
        """The loss of (N, Q, C + 1) scores and (N, Q, P) mask logits against (N, P) labels."""
        pairs = [self.match(*sample) for sample in zip(classes, masks, labels, strict=True)]
        shown = [sample for sample, (_, found) in enumerate(pairs) if len(found)]
        total = classes[:0].sum() + masks[:0].sum()
        if not shown:
            return total
        wanted = labels.new_full(classes.shape[:2], classes.shape[2] - 1)
        segments = sum(len(pairs[sample][1]) for sample in shown)
        for sample in shown:
            query, label = pairs[sample]
            wanted[sample, query] = label
            valid = labels[sample] != self.ignore_index
            total = total + self._of_masks(masks[sample, query][:, valid], labels[sample, valid], label) / segments
        weights = classes.new_ones(classes.shape[2])
        weights[-1] = self.no_object
        return total + self.class_weight * F.cross_entropy(
            classes[shown].transpose(1, 2), wanted[shown], weight=weights
        )

    def _of_masks(self, masks: Tensor, labels: Tensor, which: Tensor) -> Tensor:
        """Sum of the losses of (K, P) mask logits, each against the mask of its label."""
        target = (labels == which[:, None]).to(masks.dtype)
        outside, inside = self._pixels(masks)
        pixels = torch.where(target > 0, inside, outside).mean(1)
        probability = masks.sigmoid()
        dice = _dice((probability * target).sum(1), probability.sum(1), target.sum(1))
        return (self.mask_weight * pixels + self.dice_weight * dice).sum()

    @torch.no_grad()
    def match(self, classes: Tensor, masks: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pair queries with the classes of one sample, so that the costs add up to the least that is possible.

        Args:
            classes: (Q, C + 1) scores.
            masks: (Q, P) mask logits.
            labels: (P,) int64.

        Returns:
            The queries that are matched, and the label of each; as many as there are classes, or queries if fewer.
        """
        valid = labels != self.ignore_index
        found = torch.unique(labels[valid])
        cost = self.cost(classes, masks[:, valid], labels[valid], found)
        # What diverged is matched last instead of ending the training: the loop skips the step and names the files.
        query, segment = self._assign(cost.nan_to_num(nan=1e30, posinf=1e30, neginf=-1e30).cpu().numpy())
        device = labels.device
        return torch.as_tensor(query, device=device), found[torch.as_tensor(segment, device=device)]

    def cost(self, classes: Tensor, masks: Tensor, labels: Tensor, found: Tensor) -> Tensor:
        """(Q, K) costs of each query (Q, C + 1), (Q, P) for each of the labels `found` (K,) among (P,) valid ones."""
        target = (labels == found[:, None]).to(masks.dtype)
        outside, inside = self._pixels(masks)
        pixels = (inside @ target.T + outside @ (1 - target).T) / max(1, masks.shape[1])
        probability = masks.sigmoid()
        dice = _dice(probability @ target.T, probability.sum(1)[:, None], target.sum(1))
        return self.mask_weight * pixels + self.dice_weight * dice - self.class_weight * classes.softmax(1)[:, found]


def _cross_entropy(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of each mask logit where the mask is not, and where it is."""
    return F.softplus(masks), F.softplus(-masks)


def _focal(masks: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> tuple[Tensor, Tensor]:
    """Focal loss of each mask logit where the mask is not, and where it is (Lin et al. 2017)."""
    outside, inside = _cross_entropy(masks)
    probability = masks.sigmoid()
    return (1 - alpha) * probability**gamma * outside, alpha * (1 - probability) ** gamma * inside


def _dice(overlap: Tensor, predicted: Tensor, wanted: Tensor) -> Tensor:
    """1 - Dice coefficient of sums, each with one element more (MaskFormer's release)."""
    return 1 - (2 * overlap + 1) / (predicted + wanted + 1)
