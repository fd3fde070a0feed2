"""Losses with one signature: ``loss(logits, target)``.

Logits are (N, C, *S), targets (N, *S) integers. Elements labelled ``ignore_index`` contribute exactly nothing, and a
batch without any valid element gives 0 with a zero gradient. Sums are taken in float32, also under autocast.
"""

from intarsia.losses.base import Loss, WeightedSum, build_loss, loss_names
from intarsia.losses.pixels import CrossEntropy
from intarsia.losses.regions import Dice

__all__ = ["CrossEntropy", "Dice", "Loss", "WeightedSum", "build_loss", "loss_names"]
