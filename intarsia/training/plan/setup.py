"""What a recipe and a data set amount to: splits, preprocessing, loss, class weights and scores by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset, Split
from intarsia.errors import DataError, ModelError, UsageError, suggest
from intarsia.labels import LabelSpace
from intarsia.losses import Ramp, WeightedSum, build_loss, loss_options
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel, architecture
from intarsia.preprocessing import AnyPreprocessing, Preprocessing
from intarsia.recipe import LossTerm, Recipe
from intarsia.refine import Refinement

_POWERS = {"median_frequency": 1.0, "sqrt_median_frequency": 0.5}


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, the best bundle, and the scores of that bundle on the validation split."""

    folder: Path
    best: Path
    scores: dict[str, float]


def require_new(folder: Path) -> None:
    """Raise a UsageError if the folder already holds a run."""
    if any((folder / name).exists() for name in ("log.csv", "checkpoints")):
        raise UsageError(f"{folder} already holds a run; continue it with --resume, or choose another folder")


def bundle_of(
    recipe: Recipe,
    space: LabelSpace,
    preprocessing: AnyPreprocessing,
    model: SegmentationModel,
    metrics: Mapping[str, Any],
) -> Bundle:
    """A trained model and what has to travel with it."""
    # The files' own names say enough; where they lay is nobody's business but the trainer's.
    names = {"data.path": recipe.data.path, "model.weights": recipe.model.weights}
    sources = [{**one.model_dump(mode="json"), "path": Path(one.path).name} for one in recipe.data.sources]
    recipe = recipe.override({key: Path(path).name for key, path in names.items()} | {"data.sources": sources})
    return Bundle(
        architecture=recipe.model.architecture,
        options=dict(recipe.model.options),
        space=space,
        preprocessing=preprocessing,
        state=model.state_dict(),
        recipe=recipe.to_dict(),
        metrics=dict(metrics),
        card=dict(recipe.card),
    )


_SUMMARY = ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "mean_f1")


def flat_scores(scores: Scores, space: LabelSpace) -> dict[str, float]:
    """Scores by the names that `training.monitor` and the logs use; classes without a score are left out."""
    flat = {name: getattr(scores, name) for name in _SUMMARY}
    flat |= {f"iou/{name}": float(value) for name, value in zip(space.names, scores.iou, strict=True)}
    return {name: value for name, value in flat.items() if not np.isnan(value)}


def check_names(recipe: Recipe, space: LabelSpace) -> None:
    """Look for mistakes that the recipe's form does not show, so that all of them are told at once.

    Raises:
        UsageError: no such architecture or option of it, loss or option of it, score or refinement.
    """
    found: list[str] = []
    checks: list[Callable[[], object]] = [
        lambda: _check_options(recipe),
        lambda: check_monitor(recipe.training.monitor, space),
        lambda: Refinement.read(recipe.refine.model_dump()),
        *(partial(_check_loss, term) for term in recipe.training.loss),
    ]
    for check in checks:
        try:
            check()
        except UsageError as error:
            found.append(str(error))
    if found:
        raise UsageError("\n".join(found))


def _check_loss(term: LossTerm) -> None:
    build_loss(term.name, ignore_index=255, options=term.options)


def _check_options(recipe: Recipe) -> None:
    known = architecture(recipe.model.architecture).options
    wrong = [name for name in recipe.model.options if name not in known]
    if wrong:
        raise UsageError(
            "\n".join(f"{recipe.model.architecture} has no option {name!r}.{suggest(name, known)}" for name in wrong)
        )


def check_monitor(monitor: str, space: LabelSpace) -> None:
    """Raise a UsageError that suggests the closest score if `monitor` names none."""
    known = [*_SUMMARY, *(f"iou/{name}" for name in space.names)]
    if monitor not in known:
        raise UsageError(f"training.monitor: no score is named {monitor!r}.{suggest(monitor, known)}")


def check_medium(recipe: Recipe, dataset: Dataset) -> None:
    """Raise a UsageError if a recipe for pictures meets clouds, or the other way round."""
    name, data = recipe.model.architecture, dataset.first
    known = architecture(name)
    if known.medium not in data.learners:
        raise UsageError(f"{name} takes {known.takes.words}, but the data in {dataset.root} are {data.plural}")
    if recipe.clips is not None and not data.makes_clips:
        raise UsageError(f"clips are made of pictures, and the data are {data.plural}; leave the recipe's clips out")


def preprocessing_of(model: SegmentationModel, recipe: Recipe) -> Preprocessing:
    """The model's own normalisation at the recipe's working size, and what the recipe says of volumes and rasters.

    Raises:
        ModelError: the model takes another number of channels.
        UsageError: the recipe's keys on volumes and rasters contradict each other.
    """
    given = recipe.input
    channels = given.slices or (len(given.bands) if given.bands else None)
    if channels is None and model.in_channels not in (1, 3):
        raise ModelError(
            f"the model takes {model.in_channels} channels, but pictures have three (or one, as grey): "
            "set model.options.in_channels to 3 or 1, or input.slices (volumes) or input.bands (rasters)"
        )
    if channels is not None and model.in_channels != channels:
        key = "input.slices" if given.slices else "the number of input.bands"
        raise ModelError(
            f"the model takes {model.in_channels} channels, and {key} is {channels}: set model.options.in_channels to "
            f"{channels}"
        )
    mean, std = model.normalisation
    if len(mean) != model.in_channels:  # known for colours only
        mean, std = (sum(mean) / len(mean),) * model.in_channels, (sum(std) / len(std),) * model.in_channels
    window = tuple(given.window) if isinstance(given.window, list) else given.window
    try:
        return Preprocessing(
            mean=mean, std=std, long_side=given.long_side,
            window=window, slices=given.slices, axis=given.axis, bands=tuple(given.bands) if given.bands else None,
        )  # fmt: skip
    except ValidationError as error:
        raise UsageError(f"input: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def build_training_loss(recipe: Recipe, split: Split) -> WeightedSum:
    """The recipe's weighted sum of losses, with class weights counted on `split`."""
    weights = class_weights(recipe, split)
    terms = []
    for term in recipe.training.loss:
        options = dict(term.options)
        if weights is not None and "class_weights" in loss_options(term.name):
            options.setdefault("class_weights", weights)
        weight = Ramp(*term.weight, *term.ramp) if isinstance(term.weight, tuple) else term.weight
        terms.append((weight, build_loss(term.name, ignore_index=split.space.ignore_index, options=options)))
    if not any(term.weight if isinstance(term.weight, float) else any(term.weight) for term in recipe.training.loss):
        raise UsageError("training.loss: at least one term is needed that weighs more than 0")
    return WeightedSum(terms)


def class_weights(recipe: Recipe, split: Split) -> list[float] | None:
    """The weights that `training.class_weights` asks for, or None; 0 for classes that the split never shows."""
    rule = recipe.training.class_weights
    if rule == "none":
        return None
    if isinstance(rule, list):
        if len(rule) != len(split.space):
            raise UsageError(f"training.class_weights: {len(rule)} weights for {len(split.space)} classes")
        return rule
    counts = split.count()
    if not counts.pixels.any():
        raise DataError(f"the split {split.name!r} has no labelled pixel; run: intarsia data check")
    weights = counts.enet_weights() if rule == "enet" else counts.median_frequency_weights(_POWERS[rule])
    return [float(weight) for weight in weights]
