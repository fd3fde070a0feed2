"""What a recipe and a data set amount to: splits, preprocessing, loss, class weights and scores by name."""

from __future__ import annotations

import numpy as np

from intarsia.bundle import Preprocessing
from intarsia.datasets import Dataset, Split
from intarsia.datasets.clouds import CloudDataset, CloudSplit
from intarsia.datasets.statistics import count_classes
from intarsia.errors import DataError, ModelError, UsageError, suggest
from intarsia.labels import LabelSpace
from intarsia.losses import Ramp, WeightedSum, build_loss, loss_options
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe

_POWERS = {"median_frequency": 1.0, "sqrt_median_frequency": 0.5}
_SUMMARY = ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "mean_f1")


def flat_scores(scores: Scores, space: LabelSpace) -> dict[str, float]:
    """Scores by the names that `training.monitor` and the logs use; classes without a score are left out."""
    flat = {name: getattr(scores, name) for name in _SUMMARY}
    flat |= {f"iou/{name}": float(value) for name, value in zip(space.names, scores.iou, strict=True)}
    return {name: value for name, value in flat.items() if not np.isnan(value)}


def check_monitor(monitor: str, space: LabelSpace) -> None:
    """Raise a UsageError that suggests the closest score if `monitor` names none."""
    known = [*_SUMMARY, *(f"iou/{name}" for name in space.names)]
    if monitor not in known:
        raise UsageError(f"training.monitor: no score is named {monitor!r}.{suggest(monitor, known)}")


def find_split(dataset: Dataset | CloudDataset, name: str) -> Split | CloudSplit:
    """A non-empty split by name."""
    if name not in dataset.splits:
        raise UsageError(f"{dataset.root} has no split {name!r}.{suggest(name, dataset.splits)}")
    split = dataset.splits[name]
    if not len(split):
        raise DataError(f"the split {name!r} of {dataset.root} is empty")
    return split


def preprocessing_of(model: SegmentationModel, recipe: Recipe) -> Preprocessing:
    """The model's own normalisation at the recipe's working size.

    Raises:
        ModelError: the model takes something else than colour or grey pictures.
    """
    if model.in_channels not in (1, 3):
        raise ModelError(
            f"the model takes {model.in_channels} channels, but pictures have three (or one, as grey): "
            "set model.options.in_channels to 3 or 1"
        )
    mean, std = model.normalisation
    return Preprocessing(mean=mean, std=std, long_side=recipe.input.long_side)


def build_training_loss(recipe: Recipe, split: Split | CloudSplit) -> WeightedSum:
    """The recipe's weighted sum of losses, with class weights counted on `split`."""
    weights = class_weights(recipe, split)
    terms = []
    for term in recipe.training.loss:
        options = dict(term.options)
        if weights is not None and "class_weights" in loss_options(term.name):
            options.setdefault("class_weights", weights)
        weight = Ramp(*term.weight, *term.ramp) if isinstance(term.weight, tuple) else term.weight
        terms.append((weight, build_loss(term.name, ignore_index=split.space.ignore_index, options=options)))
    if not terms:
        raise UsageError("training.loss: at least one term is needed")
    return WeightedSum(terms)


def class_weights(recipe: Recipe, split: Split | CloudSplit) -> list[float] | None:
    """The weights that `training.class_weights` asks for, or None; 0 for classes that the split never shows."""
    rule = recipe.training.class_weights
    if rule == "none":
        return None
    if isinstance(rule, list):
        if len(rule) != len(split.space):
            raise UsageError(f"training.class_weights: {len(rule)} weights for {len(split.space)} classes")
        return rule
    counts = split.count() if isinstance(split, CloudSplit) else count_classes(split)
    if not counts.pixels.any():
        raise DataError(f"the split {split.name!r} has no labelled pixel; run: intarsia data check")
    weights = counts.enet_weights() if rule == "enet" else counts.median_frequency_weights(_POWERS[rule])
    return [float(weight) for weight in weights]
