"""Models of masks, and of bases drawn at random, in the loop: their loss, annealing, and runs that go on."""

from pathlib import Path

import pytest
import torch
from small import SMALL

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.models.image.eomt import EoMT
from intarsia.recipe import Recipe
from intarsia.training import train

MATCHING = [{"name": "matching", "options": {"mask": "cross_entropy", "mask_weight": 5, "dice_weight": 5}}]
SEGNEXT = {"encoder": "test_convnext", "channels": 32, "rank": 4}


def of(recipe: Recipe, name: str, options: dict, loss: list[dict]) -> Recipe:
    return Recipe.from_dict(recipe.to_dict() | {"model": {"architecture": name, "options": options}}).override(
        {"training.loss": loss, "training.epochs": 2, "optimizer.lr": 0.001}
    )


@pytest.mark.parametrize(
    ("name", "options", "loss"),
    [("segnext", SEGNEXT, [{"name": "cross_entropy"}]), ("eomt", SMALL["eomt"], [*MATCHING, {"name": "dice"}])],
)
def test_a_stopped_run_ends_bit_for_bit_like_one_that_was_not(
    scenes: Dataset, recipe: Recipe, tmp_path: Path, name: str, options: dict, loss: list[dict]
) -> None:
    mine = of(recipe, name, options, loss)
    whole = train(mine, scenes, tmp_path / "whole").folder
    with pytest.raises(KeyboardInterrupt):
        train(mine, scenes, tmp_path / "stopped", stop=lambda: True)  # after its first step
    stopped = train(mine, scenes, tmp_path / "stopped", resume=True).folder
    first, second = (Bundle.load(folder / "last.safetensors").state for folder in (whole, stopped))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_masks_are_annealed_by_the_share_of_the_training(
    scenes: Dataset, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setattr(EoMT, "anneal", lambda _, progress: told.append(progress))
    mine = of(recipe, "eomt", SMALL["eomt"], MATCHING)
    train(mine, scenes, tmp_path / "run")
    assert told[0] == 0 and told[-1] == 1 and told == sorted(told) and len(told) > 3


def test_a_model_of_pixels_is_told_that_it_has_no_queries(scenes: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'matching' compares queries with segments, and this model has none"):
        train(recipe.override({"training.loss": MATCHING}), scenes, tmp_path / "run")
