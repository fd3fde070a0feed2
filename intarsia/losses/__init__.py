"""Losses with one signature: ``loss(logits, target)``.

Logits are (N, C, *S), targets (N, *S) integers. Elements labelled ``ignore_index`` contribute exactly nothing, and a
batch without any valid element gives 0 with a zero gradient. Sums are taken in float32, also under autocast. Classes
exclude each other, so a task of two is C = 2; with C = 1 there is nothing to tell apart, and a softmax loss is 0.
"""
# ruff: noqa: E402

from intarsia.errors import require

require("torch", "train")

from intarsia.losses.base import Loss, build_loss, join_maps, loss_names, loss_options
from intarsia.losses.borders import BorderCrossEntropy
from intarsia.losses.boundaries import Boundary, HausdorffCV, HausdorffDT, HausdorffER
from intarsia.losses.distances import border_weights, find_instances
from intarsia.losses.lovasz import Lovasz, LovaszHinge
from intarsia.losses.matching import Matching
from intarsia.losses.pixels import CrossEntropy, Focal, OhemCrossEntropy, SigmoidFocal
from intarsia.losses.regions import Dice, FocalTversky, GeneralisedDice, Jaccard, Tversky
from intarsia.losses.weighted import Ramp, WeightedSum

__all__ = [
    "BorderCrossEntropy",
    "Boundary",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "GeneralisedDice",
    "HausdorffCV",
    "HausdorffDT",
    "HausdorffER",
    "Jaccard",
    "Loss",
    "Lovasz",
    "LovaszHinge",
    "Matching",
    "OhemCrossEntropy",
    "Ramp",
    "SigmoidFocal",
    "Tversky",
    "WeightedSum",
    "border_weights",
    "build_loss",
    "find_instances",
    "join_maps",
    "loss_names",
    "loss_options",
]
