"""The data of a recipe: one data set, or several joined for a training."""

from __future__ import annotations

from intarsia import recipe as recipes
from intarsia.datasets.merging import Source, merge
from intarsia.datasets.opening import open_dataset
from intarsia.datasets.splits import Dataset
from intarsia.errors import UsageError
from intarsia.recipe import Recipe


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
