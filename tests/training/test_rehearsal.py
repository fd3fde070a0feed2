"""What a training takes, by a few steps of it."""

from __future__ import annotations

import pytest

from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.memory import resident
from intarsia.recipe import Recipe
from intarsia.training import Rehearsal, rehearse


def test_steps_and_memory_are_those_of_the_training(scenes: Dataset, recipe: Recipe) -> None:
    settings = recipe.override({"training.epochs": 50, "training.accumulate": 2, "training.workers": 0})
    found = rehearse(settings, scenes)
    per_epoch = len(scenes.splits["train"]) // settings.training.batch_size
    assert found.steps == 50 * per_epoch and found.seconds > 0 and found.loading == 0
    assert found.memory is not None and found.memory >= (resident() or 0) > 0
    limited = rehearse(settings.override({"training.minutes": 0.0001}), scenes)
    assert limited.seconds <= 0.006


def test_what_is_fitted_has_no_steps(scenes: Dataset) -> None:
    forest = Recipe.from_dict({"model": {"architecture": "random_forest"}})
    with pytest.raises(UsageError, match="random_forest is fitted at once"):
        rehearse(forest, scenes)


def test_said_for_people() -> None:
    found = Rehearsal(steps=600, seconds=7200.0, memory=900 << 20, loading=100 << 20, graphics=None, room=1 << 33)
    assert found.fits and found.lines() == [
        "Memory: about 944 MB at the peak, and 105 MB in its loading processes; there are 8.6 GB",
        "Time:   about 2.0 h for 600 steps, validations not counted",
    ]
    alone = Rehearsal(steps=6, seconds=90.0, memory=None, loading=0, graphics=3 << 30, room=None)
    assert alone.fits is None and alone.lines() == [
        "GPU:    about 3.2 GB at the peak",
        "Time:   about 1.5 min for 6 steps, validations not counted",
    ]
