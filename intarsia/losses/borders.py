"""Cross-entropy that insists on the gaps between instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.losses.base import check_option, register_loss
from intarsia.losses.distances import border_weights, find_instances
from intarsia.losses.pixels import ElementLoss, ElementOptions


@register_loss("border_cross_entropy")
class BorderCrossEntropy(ElementLoss):
    """Cross-entropy with the weight map of the U-Net (Ronneberger et al. 2015, arXiv:1505.04597, equations 1 and 2).

    The sum over valid elements of w -log p[t], over the sum of w; w is the class's weight plus, on the background,
    w0 exp(-(d1 + d2)^2 / (2 sigma^2)) with the distances d1 and d2 to the nearest two instances. Instances are the
    connected components of every class but the background (`find_instances`). Where instances of their own are known,
    give their map: ``loss(logits, target, {"border": weights})`` with `border_weights` of each sample.

    Args:
        w0: weight where two instances touch, at least 0; 0 is cross-entropy.
        sigma: how fast it fades, in pixels, above 0.
        background: the class between instances.
        shared: `class_weights`, `divide_by` and `ignore_index`, see `ElementLoss`.
    """

    needs_grid = True

    def __init__(
        self, *, w0: float = 10.0, sigma: float = 5.0, background: int = 0, **shared: Unpack[ElementOptions]
    ) -> None:
        super().__init__(**shared)
        check_option("w0", w0, 0)
        check_option("sigma", sigma, 0, above=True)
        check_option("background", background, 0)
        self.w0 = w0
        self.sigma = sigma
        self.background = background

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        instances = find_instances(labels.numpy(force=True), background=self.background, ignore_index=self.ignore_index)
        return {"border": torch.from_numpy(border_weights(instances, w0=self.w0, sigma=self.sigma))[None]}

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        valid = target != self.ignore_index
        weight = self.weight_of(logits, target) + maps["border"] * valid
        nll = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        return self.mean((weight * nll).sum(), weight, valid)
