"""Killed trainings of several processes end bit for bit where undisturbed ones end; divided models like whole ones."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.files import lock
from intarsia.recipe import Recipe
from intarsia.training import launch, train
from intarsia.training.launch import is_restarted, sole_training
from intarsia.training.loop.among import own_gradients
from intarsia.training.loop.sharding import called_once, units

pytestmark = pytest.mark.timeout(900)  # processes of their own import torch, which takes its time on a busy machine
KILLED = -signal.SIGKILL
# How each case is trained: attempts as `many.py` takes them, of 4 steps in 2 updates.
CASES = {
    "two": ["2"],
    "torchrun": ["torchrun", "torchrun"],
    "three": ["3"],
    "three-killed": ["3:2:step:3", "3"],
    "shard": ["2"],
    "shard-killed": ["2:1:step:3", "2"],
}


@pytest.fixture(scope="module")
def many(recipe: Recipe) -> Recipe:
    """Everything that processes have to agree on: norms, clipping, averages, momentum, gradients that are summed up."""
    return recipe.override(
        {
            "training.checkpoint_every": 1, "training.accumulate": 2, "training.batch_size": 6, "training.epochs": 2,
            "training.clip_norm": 0.5, "optimizer.name": "sgd", "optimizer.lr": 0.05, "augment.rotate": 20,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(
    scenes: Dataset, many: Recipe, forked: Callable[..., tuple], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, list, str]]:
    """Train a case: its run folder, how each attempt's processes ended, and what they said."""
    folder = tmp_path_factory.mktemp("many")

    @cache
    def train(name: str) -> tuple[Path, list, str]:
        special = {"training.shard": name.startswith("shard"), "training.freeze_norms": name.startswith("three")}
        many.override(special).save(folder / f"{name}.yaml")
        return folder / name, *forked("many:attempts", scenes.root, folder / name, CASES[name])

    return train


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last.safetensors")


@pytest.mark.parametrize("name", ["three", "shard"])
def test_killed_and_resumed_equals_undisturbed(trained: Callable[[str], tuple[Path, list, str]], name: str) -> None:
    whole, ends, said = trained(name)
    assert ends == [[0] * len(ends[0])], said
    folder, (*killed, last), said = trained(f"{name}-killed")
    assert all(attempt.count(KILLED) == 1 and attempt.count(4) == len(attempt) - 1 for attempt in killed), said
    assert last == [0] * len(last), said
    assert "another process of this training ended" in said
    expected, found = weights(whole), weights(folder)
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    scores = [json.loads((one / "log.jsonl").read_text().splitlines()[-1]) for one in (whole, folder)]
    assert scores[0]["val_miou"] == scores[1]["val_miou"] and scores[0]["step"] == scores[1]["step"] == 4


def test_a_divided_model_becomes_what_a_whole_one_becomes(trained: Callable[[str], tuple[Path, list, str]]) -> None:
    """Weights and averages after two clipped updates of momentum.

    The same numbers are added up in another order: its convolutions see weights that lie in the order of channels,
    rows and columns, and the gradient's norm is summed over parts. In float32 that is some 1e-6 of each weight a step.
    """
    checkpoints = [sorted((trained(name)[0] / "checkpoints").glob("step-*"))[-1] for name in ("two", "shard")]
    assert [one.name for one in checkpoints] == ["step-00000004"] * 2
    for group in ("model", "average", "optimizer", "gradients"):
        whole, divided = (load_file(one / f"{group}.safetensors") for one in checkpoints)
        assert {k: v.shape for k, v in whole.items()} == {k: v.shape for k, v in divided.items()}
        for key, value in whole.items():
            assert torch.allclose(value.float(), divided[key].float(), rtol=1e-3, atol=1e-4), (group, key)
    start = sorted(checkpoints[0].parent.glob("step-*"))[0]
    before, after = (load_file(one / "model.safetensors") for one in (start, checkpoints[0]))
    moved = max(float((after[key] - value).abs().max()) for key, value in before.items() if value.is_floating_point())
    assert moved > 1e-2, "a tolerance below what an update changes"


def test_gradients_of_other_processes_are_found_again() -> None:
    world = launch_world(1, 3)
    groups = {"model": {}, **{f"gradients{end}": {"a": torch.tensor([n])} for n, end in enumerate(("", "-1", "-2"))}}
    assert own_gradients(groups, world)["a"].tolist() == [1]
    doubles = {name: {key: value.double() for key, value in one.items()} for name, one in groups.items()}
    assert own_gradients(doubles, launch_world(0, 1))["a"].tolist() == [1.0], "the mean"
    assert own_gradients({"model": {}}, world) == {}


def launch_world(rank: int, size: int):
    from intarsia.training.distributed import World

    return World(rank, size, torch.device("cpu"))


def test_one_process_cannot_divide(scenes: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.shard divides a model among processes, and there is one"):
        train(recipe.override({"training.shard": True}), scenes, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_units_are_called_once_and_small_enough() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*(nn.Linear(128, 128) for _ in range(10)))
            self.twice, self.unused = nn.Linear(128, 128), nn.Linear(128, 128)
            self.view = nn.Sequential(nn.Linear(128, 128), nn.Unflatten(1, (2, 64)))
            self.norm = nn.BatchNorm1d(128)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.view(self.norm(self.twice(self.twice(self.body(x)))))

    net = Net()
    statistics = net.norm.running_mean.clone()
    called = called_once(net, (2, 128))
    assert torch.equal(net.norm.running_mean, statistics)
    expected = [*net.body, net.view[0]]
    assert list(units(net, called)) == expected, "the body as a whole is more than an eighth"


@pytest.mark.skipif(sys.platform != "linux", reason="torchrun's processes are forked, and told of its death by Linux")
def test_torchrun_starts_again_and_its_orphans_end(trained: Callable[[str], tuple[Path, list, str]]) -> None:
    """A worker is killed, then torchrun itself, whose workers write a checkpoint and leave the folder to the next."""
    folder, ends, said = trained("torchrun")
    assert ends == [[KILLED], [0]], said
    expected, found = weights(trained("two")[0]), weights(folder)
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


def test_a_launch_knows_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with sole_training(tmp_path, said.append, patient=False):
        assert not is_restarted(tmp_path), "without torchrun nothing is started again"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-7")
    assert not is_restarted(tmp_path)
    with sole_training(tmp_path, said.append, patient=False):
        assert is_restarted(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-8")
    assert not is_restarted(tmp_path), "another call may not go on without being asked"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert str(os.getppid()) in launch.launch()
    assert said == []


def test_one_training_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_PATIENCE", 0.1)
    monkeypatch.setattr(launch, "_PAUSE", 0.05)
    said: list[str] = []
    with (tmp_path / ".training.lock").open("a") as other:
        assert lock(other)
        for patient in (False, True):
            with (
                pytest.raises(UsageError, match=r"another training writes into .*; end it first"),
                sole_training(tmp_path, said.append, patient=patient),
            ):
                pass
    assert said == [f"another training writes into {tmp_path}; waiting for it to end"]
    (tmp_path / "checkpoints/.step-00000007.12.tmp").mkdir(parents=True)
    (tmp_path / "checkpoints/.step-00000007.12.tmp/model.safetensors").touch()
    (tmp_path / ".best.12.tmp.safetensors").touch()
    with sole_training(tmp_path, said.append, patient=False):
        pass
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == [".training.lock", "checkpoints"], "what a killed one left half written is gone"
