"""Killed and resumed runs end bit for bit where an uninterrupted one ends."""

import io
import json
import signal

import pytest
import torch
from rich.console import Console

from intarsia.bundle import Bundle
from intarsia.errors import UsageError
from intarsia.training import train

pytestmark = pytest.mark.timeout(600)  # a process of its own imports torch, which takes its time on a busy machine
# Training's workers, and where each attempt but the last dies.
KILLED = {0: ("step:4", "write:6"), 2: ("write:9", "step:3")}


def weights(folder):
    return Bundle.load(folder / "last.safetensors").state


@pytest.fixture(scope="module")
def uninterrupted(scenes, recipe, tmp_path_factory):
    """Two epochs of a recipe with everything random switched on, and a loss that changes and has maps."""
    boundary = {"name": "boundary", "weight": [0.0, 0.1], "ramp": [0.2, 0.9]}
    recipe = recipe.override(
        {
            "training.checkpoint_every": 1,
            "training.accumulate": 2,
            "training.clip_norm": 0.1,
            "training.batch_size": 3,
            "training.epochs": 2,
            "training.loss": [{"name": "cross_entropy", "weight": [1.0, 0.5]}, boundary],
            "augment.rotate": 20,
        }
    )
    return recipe, train(recipe, scenes, tmp_path_factory.mktemp("whole") / "run").folder


@pytest.mark.parametrize("workers", KILLED)
def test_killed_twice_and_resumed_equals_uninterrupted(scenes, uninterrupted, forked, workers, tmp_path):
    recipe, whole = uninterrupted
    folder = tmp_path / "run"
    recipe.override({"training.workers": workers}).save(folder.with_suffix(".yaml"))
    ends, said = forked("train_once:attempts", scenes.root, folder, KILLED[workers], torch.get_num_threads())
    assert ends == [[-signal.SIGKILL, False], [-signal.SIGKILL, False], [0, True]], said
    expected = weights(whole)
    assert all(torch.equal(value, expected[key]) for key, value in weights(folder).items())
    logs = [
        [
            {**json.loads(line), "images_per_second": 0, "waiting": 0}
            for line in (folder / "log.jsonl").read_text().splitlines()
        ]
        for folder in (whole, folder)
    ]
    assert logs[0] == logs[1]


def after(steps, act=lambda: None):
    """What `stop` may be: acts and stops after so many steps."""
    polls = iter(range(1, 1000))

    def stop():
        if next(polls) < steps:
            return False
        act()
        return True

    return stop


def test_stopped_after_a_step_and_in_a_validation_and_resumed(scenes, recipe, tmp_path):
    """The first epoch ends with step 3, whose validation asks after each picture too, and is done again."""
    whole = train(recipe, scenes, tmp_path / "whole")
    for polls, step, epochs in ((2, 2, 0), (2, 3, 0), (3, 4, 1)):
        with pytest.raises(KeyboardInterrupt):
            train(recipe, scenes, tmp_path / "run", stop=after(polls), resume=True)
        newest = max((tmp_path / "run" / "checkpoints").iterdir())
        assert newest.name == f"step-0000000{step}"
        assert len(json.loads((newest / "state.json").read_text())["rows"]) == epochs
    resumed = train(recipe, scenes, tmp_path / "run", resume=True)
    expected = weights(whole.folder)
    assert all(torch.equal(value, expected[key]) for key, value in weights(resumed.folder).items())
    assert resumed.scores == whole.scores


def test_ctrl_c_stops_after_the_step(scenes, recipe, tmp_path):
    polls = iter(range(1, 1000))

    def press():
        if next(polls) == 2:
            signal.raise_signal(signal.SIGINT)
        return False

    with pytest.raises(KeyboardInterrupt):
        train(recipe, scenes, tmp_path / "run", stop=press)
    stored = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert stored == ["step-00000002"], "no further step is begun, and no further batch is waited for"


def test_resume_refuses_another_recipe(scenes, recipe, tmp_path):
    short = recipe.override({"training.epochs": 1})
    train(short, scenes, tmp_path / "run")
    with pytest.raises(UsageError, match=r"the recipe or data changed since \(clips, optimizer.lr\)"):
        train(short.override({"clips": {}, "optimizer.lr": 0.5}), scenes, tmp_path / "run", resume=True)
    train(short.override({"training.samples": 0, "card": {"limits": "none"}}), scenes, tmp_path / "run", resume=True)


def test_resuming_a_finished_run_with_more_epochs_goes_on(scenes, recipe, tmp_path):
    out = io.StringIO()
    train(recipe.override({"training.epochs": 1}), scenes, tmp_path / "run")
    longer = recipe.override({"training.epochs": 2, "training.minutes": 1e-4})
    train(longer, scenes, tmp_path / "run", resume=True, console=Console(file=out, width=200))
    assert "the run is made longer, from 1 to 2 epochs: from here on the learning rate is that of" in out.getvalue()
    # the minutes are over after its first step, which is the fourth of all
    assert "0.0001 minutes are over: ended after step 4" in out.getvalue()
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 4)]
    assert "val_miou" in rows[-1] and rows[-1]["lr"] < rows[0]["lr"]
    done = train(longer.override({"training.minutes": None}), scenes, tmp_path / "run", resume=True)
    rows = [json.loads(line) for line in (done.folder / "log.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 4), (2, 6)]
    with pytest.raises(UsageError, match=r"the recipe or data changed since \(training.epochs\)"):
        train(recipe.override({"training.epochs": 1}), scenes, tmp_path / "run", resume=True)


def test_resuming_a_finished_run_changes_nothing(scenes, recipe, tmp_path):
    first = train(recipe.override({"training.epochs": 1}), scenes, tmp_path / "run")
    before = (first.folder / "last.safetensors").read_bytes()
    again = train(recipe.override({"training.epochs": 1}), scenes, tmp_path / "run", resume=True)
    assert again.scores == first.scores
    assert (first.folder / "last.safetensors").read_bytes() == before
