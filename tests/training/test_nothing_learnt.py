"""Trainings that would end well and have learnt nothing: they say so instead."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import Dataset, open_dataset
from intarsia.errors import DataError, IntarsiaError, ModelError, UsageError
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.plan.planning import plan


def test_a_training_split_without_a_label(scenes: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    shutil.copytree(scenes.root, tmp_path / "data")
    masks = [item.target for item in open_dataset(tmp_path / "data").split("train").items]
    for mask in masks:
        Image.fromarray(np.full_like(np.asarray(Image.open(mask)), 255)).save(mask)
    with pytest.raises(DataError, match=r"no step had a gradient.*no element of the split 'train'"):
        train(recipe, open_dataset(tmp_path / "data"), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"training.loss": [{"name": "dice", "weight": 0}]}, UsageError, "one term is needed that weighs more"),
        ({"training.class_weights": [0.0] * 6}, UsageError, "class_weights must hold a number above 0"),
        (
            {"training.loss": [{"name": "dice", "options": {"per_sample": "no"}}]}, UsageError,
            "per_sample must be true or false, not 'no'",
        ),
        ({"model.options.depthwise_norm": "no"}, UsageError, "depthwise_norm is true or false, not 'no'"),
        ({"model.options.dropout": "0.1"}, UsageError, "dropout is a number, not '0.1'"),
        ({"model.options.channels": True}, UsageError, "channels is a whole number, not True"),
        (
            {"optimizer.lr": 1e30, "optimizer.warmup": 0, "training.clip_norm": 0, "training.ema": 0},
            ModelError, r"the network answers with NaN: .*; lower optimizer.lr",
        ),
    ],
)  # fmt: skip
def test_recipes_that_teach_nothing(
    scenes: Dataset, recipe: Recipe, tmp_path: Path, changes: dict[str, object], kind: type[IntarsiaError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        train(recipe.override({"training.epochs": 1, **changes}), scenes, tmp_path / "run")


def test_a_later_epoch_of_which_every_step_is_skipped(
    scenes: Dataset, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intarsia.training.loop.learner import Learner, Learnt

    step = Learner.step

    def broken(self, network, batch, moment):
        return step(self, network, batch, moment) if moment.step <= 3 else Learnt(float("nan"), float("nan"), False)

    monkeypatch.setattr(Learner, "step", broken)
    with pytest.raises(ModelError, match="no step of this epoch could be taken"):
        train(recipe, scenes, tmp_path / "run")


def test_a_single_picture_is_not_divided(scenes: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    item = scenes.split("train").items[0]
    for kind, file in (("images", item.input), ("masks", item.target)):
        (tmp_path / kind).mkdir()
        shutil.copy(file, tmp_path / kind / "a.png")
    with pytest.raises(DataError, match="a single image cannot be divided: it takes two"):
        train(recipe, open_dataset(tmp_path), tmp_path / "run")


@pytest.mark.parametrize("name", ["..", "", ".", "/tmp/x", "a/../../b"])
def test_a_run_lies_in_its_folder(scenes: Dataset, recipe: Recipe, name: str) -> None:
    named = recipe.override({"name": name, "data.path": str(scenes.root)})
    with pytest.raises(UsageError, match="names no folder in runs/"):
        plan(scenes.root, recipe=named)


def test_a_leftover_of_a_scheduler(
    scenes: Dataset, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(UsageError, match="WORLD_SIZE=2, but not MASTER_ADDR and MASTER_PORT"):
        train(recipe, scenes, tmp_path / "run")


def test_resuming_where_nothing_is_says_so(scenes: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    import io

    from rich.console import Console

    said = io.StringIO()
    train(
        recipe.override({"training.epochs": 1}),
        scenes,
        tmp_path / "run",
        resume=True,
        console=Console(file=said, width=200),
    )
    assert "holds nothing to continue: the training starts from the beginning" in said.getvalue()
