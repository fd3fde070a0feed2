"""The loop end to end: what it writes, what it refuses, and what it survives."""

import csv
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from intarsia.bundle import Bundle
from intarsia.datasets import open_dataset
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.losses import Boundary, CrossEntropy, Focal, WeightedSum
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.loop import learner as loop
from intarsia.training.loop import trainer
from intarsia.training.loop.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from intarsia.training.loop.precision import choose_precision
from intarsia.training.plan.auto import recipe_for
from intarsia.training.plan.setup import build_training_loss, class_weights


def test_a_run_writes_everything_it_promises(scenes, recipe, tmp_path):
    run = train(recipe, scenes, tmp_path / "run")
    rows = list(csv.DictReader((run.folder / "log.csv").open()))
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    steps = len(scenes.splits["train"]) // 4
    assert [int(row["step"]) for row in rows] == [steps, 2 * steps, 3 * steps]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    best = max(lines, key=lambda line: line["val_miou"])
    assert run.scores["miou"] == best["val_miou"]
    bundle = Bundle.load(run.best)
    assert bundle.space == scenes.space
    assert bundle.metrics["val_miou"] == best["val_miou"]
    resolved = Recipe.load(run.folder / "recipe.yaml").override({"training.precision": recipe.training.precision})
    assert bundle.recipe == resolved.to_dict()
    assert (run.folder / "last.safetensors").exists()
    pictures = list((run.folder / "samples" / "epoch-0003").glob("*.jpg"))
    assert len(pictures) == 1
    assert Image.open(pictures[0]).size == (2 * 56, 40)  # truth beside prediction
    assert len(list((run.folder / "checkpoints").iterdir())) == 2


def test_learning_happens(scenes, recipe, tmp_path):
    longer = {"training.epochs": 12, "training.validate_every": 12, "augment.scale": [0.9, 1.1], "optimizer.lr": 0.02}
    run = train(recipe.override(longer), scenes, tmp_path / "run")
    first, *_, last = (json.loads(line)["loss"] for line in (run.folder / "log.jsonl").read_text().splitlines())
    assert last < 0.6 * first
    assert run.scores["pixel_accuracy"] > 0.6


def test_frozen_norms_stay_as_they_start(scenes, recipe, tmp_path):
    run = train(recipe.override({"training.freeze_norms": True, "training.epochs": 1}), scenes, tmp_path / "run")
    state = Bundle.load(run.folder / "last.safetensors").state
    norms = {key: value for key, value in state.items() if ".running_" in key or ".bn" in key}
    starts = {"running_mean": 0.0, "bias": 0.0, "running_var": 1.0, "weight": 1.0, "num_batches_tracked": 0.0}
    assert len(norms) > 20
    for key, value in norms.items():
        assert (value == starts[key.rpartition(".")[2]]).all() or "drop" in key, key


def test_a_second_run_does_not_overwrite_the_first(scenes, recipe, tmp_path):
    train(recipe.override({"training.epochs": 1}), scenes, tmp_path / "run")
    with pytest.raises(UsageError, match="already holds a run; continue it with --resume"):
        train(recipe, scenes, tmp_path / "run")


def test_one_class_can_pick_the_best_weights(scenes, recipe, tmp_path):
    run = train(recipe.override({"training.monitor": "iou/road"}), scenes, tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert run.scores["iou/road"] == max(line.get("val_iou/road", 0.0) for line in lines)
    with pytest.raises(UsageError, match=r"no score is named 'iou/raod'. Did you mean 'iou/road'"):
        train(recipe.override({"training.monitor": "iou/raod"}), scenes, tmp_path / "other")


def test_early_stopping(scenes, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "learning_rate_factor", lambda *_: 0.0)  # nothing moves, so nothing gets better
    still = recipe.override(
        {"training.epochs": 9, "training.patience": 2, "training.ema": 0, "model.options.dropout": 0}
    )
    monkeypatch.setattr(loop.AveragedWeights, "update", lambda *_: None)
    run = train(still, scenes, tmp_path / "run")
    assert len((run.folder / "log.jsonl").read_text().splitlines()) == 3


def test_accumulated_gradients_make_one_step(scenes, recipe, tmp_path, monkeypatch):
    """Every second batch updates, and the last of an epoch, with the mean of the batches' gradients."""
    updates, gradients = [], []
    real = loop.AveragedWeights.update
    monkeypatch.setattr(
        loop.AveragedWeights, "update", lambda self, model, step: (updates.append(step), real(self, model, step))
    )
    split = scenes.splits["train"]
    batch = 2
    per_epoch = len(split) // batch
    changes = {"training.batch_size": batch, "training.accumulate": 2, "training.epochs": 1}
    train(recipe.override(changes), scenes, tmp_path / "run")
    assert updates == sorted({*range(2, per_epoch + 1, 2), per_epoch})
    torch.manual_seed(0)
    model = torch.nn.Conv2d(3, 2, 1)
    x, target = torch.rand(4, 3, 5, 5), torch.randint(2, (4, 5, 5))
    loss = loop.build_training_loss(recipe, split)
    for pieces in (1, 2):
        model.zero_grad()
        for images, labels in zip(x.chunk(pieces), target.chunk(pieces), strict=True):
            (loss(model(images), labels) / pieces).backward()
        gradients.append(model.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-6)


class _Poison(torch.nn.Module):
    """The real loss, but not finite at some steps."""

    def __init__(self, real, bad_steps):
        super().__init__()
        self.real, self.bad, self.step = real, bad_steps, 0
        self.maps = real.maps

    def forward(self, *arguments, **progress):
        self.step += 1
        return self.real(*arguments, **progress) * (math.nan if self.step in self.bad else 1.0)


def test_nan_never_reaches_the_weights(scenes, recipe, tmp_path, monkeypatch):
    real = loop.build_training_loss
    monkeypatch.setattr(loop, "build_training_loss", lambda *a: _Poison(real(*a), {2, 4}))
    run = train(recipe, scenes, tmp_path / "run")
    assert all(torch.isfinite(v).all() for v in Bundle.load(run.folder / "last.safetensors").state.values())
    entries = [json.loads(line) for line in (run.folder / "skipped-0.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4]
    assert len(entries[0]["files"]) == 4
    assert all(file.endswith(".png") or file.endswith(".jpg") for file in entries[0]["files"])
    last = json.loads((run.folder / "log.jsonl").read_text().splitlines()[-1])
    assert last["skipped"] == 2
    assert math.isfinite(last["loss"])


def test_a_skipped_step_leaves_weights_and_norm_statistics_untouched(scenes, recipe, tmp_path, monkeypatch):
    real = loop.build_training_loss
    monkeypatch.setattr(loop, "build_training_loss", lambda *a: _Poison(real(*a), set(range(1, 99))))
    seen = {}
    original = trainer.Trainer.run

    def watch(self, *arguments):
        seen["before"] = {key: value.clone() for key, value in self.learner.model.state_dict().items()}
        try:
            return original(self, *arguments)
        finally:
            seen["after"] = self.learner.model.state_dict()

    monkeypatch.setattr(trainer.Trainer, "run", watch)
    with pytest.raises(ModelError, match=r"not finite in 3 steps in a row; lower optimizer.lr, or look at the files"):
        train(recipe.override({"training.max_skipped_steps": 3}), scenes, tmp_path / "run")
    assert all(torch.equal(seen["before"][key], value) for key, value in seen["after"].items())


@pytest.fixture
def copied(scenes, tmp_path):
    """A private copy of the data set that a test may damage."""
    return shutil.copytree(scenes.root, tmp_path / "data")


def test_a_corrupt_picture_is_replaced_and_counted(copied, recipe, tmp_path):
    victim = open_dataset(copied).splits["train"].items[0].input
    dataset = open_dataset(copied)
    victim.write_bytes(victim.read_bytes()[:100])
    run = train(recipe.override({"training.max_bad_samples": 0.2}), dataset, tmp_path / "run")
    last = json.loads((run.folder / "log.jsonl").read_text().splitlines()[-1])
    assert last["bad_samples"] == 1
    with pytest.raises(DataError, match=rf"1 of \d+ training samples cannot be read.*{victim.name}.*data check"):
        train(recipe.override({"training.max_bad_samples": 0.01}), dataset, tmp_path / "strict")


def test_the_same_data_come_from_any_number_of_workers(scenes, recipe, tmp_path):
    runs = [
        train(
            recipe.override({"training.workers": workers, "training.cache": cache}),
            scenes,
            tmp_path / f"{workers}{cache}",
        )
        for workers, cache in ((0, True), (2, False))
    ]
    first, second = (Bundle.load(run.folder / "last.safetensors").state for run in runs)
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_tensorboard_is_written_on_request(scenes, recipe, tmp_path):
    run = train(recipe.override({"training.epochs": 1, "training.tensorboard": True}), scenes, tmp_path / "run")
    assert [path.stat().st_size > 0 for path in (run.folder / "tensorboard").iterdir()] == [True]


def test_class_weights(scenes, recipe):
    split = scenes.splits["train"]
    frequencies = split.count().frequencies
    expected = np.where(frequencies > 0, np.median(frequencies[frequencies > 0]) / np.maximum(frequencies, 1e-12), 0)
    plain = class_weights(recipe.override({"training.class_weights": "median_frequency"}), split)
    root = class_weights(recipe.override({"training.class_weights": "sqrt_median_frequency"}), split)
    assert plain == pytest.approx(expected.tolist())
    assert root == pytest.approx(np.sqrt(expected).tolist())
    shares = split.count().shares
    enet = class_weights(recipe.override({"training.class_weights": "enet"}), split)
    assert enet == pytest.approx([1 / math.log(1.02 + share) if share else 0 for share in shares])
    assert class_weights(recipe, split) is None
    with pytest.raises(UsageError, match="2 weights for 6 classes"):
        class_weights(recipe.override({"training.class_weights": [1, 2]}), split)


def test_the_loss_of_a_recipe(scenes, recipe):
    """Every loss that takes class weights gets them, unless it names its own; weights of two numbers are ramps."""
    terms = [
        {"name": "cross_entropy"},
        {"name": "focal", "options": {"class_weights": [1, 2, 3, 4, 5, 6]}},
        {"name": "boundary", "weight": [0, 0.5], "ramp": [0.5, 1.0]},
    ]
    split = scenes.splits["train"]
    asked = recipe.override({"training.loss": terms, "training.class_weights": [6, 5, 4, 3, 2, 1]})
    loss = build_training_loss(asked, split)
    logits, target = torch.randn(2, 6, 8, 8), torch.randint(6, (2, 8, 8))
    parts = [
        CrossEntropy(class_weights=[6, 5, 4, 3, 2, 1])(logits, target),
        Focal(class_weights=[1, 2, 3, 4, 5, 6])(logits, target),
        Boundary()(logits, target),
    ]
    assert torch.allclose(loss(logits, target, progress=0.75), parts[0] + parts[1] + 0.25 * parts[2])
    with pytest.raises(UsageError, match=r"no loss is named 'bondary'. Did you mean 'boundary'"):
        build_training_loss(recipe.override({"training.loss": [{"name": "bondary"}]}), split)
    with pytest.raises(UsageError, match=r"training.loss: at least one term is needed"):
        build_training_loss(recipe.override({"training.loss": []}), split)


def test_ramps_go_from_the_first_step_to_the_last(scenes, recipe, tmp_path, monkeypatch):
    seen = []
    real = WeightedSum.forward

    def forward(self, *arguments, progress):
        seen.append(self.weights[0].at(progress))
        return real(self, *arguments, progress=progress)

    monkeypatch.setattr(WeightedSum, "forward", forward)
    train(recipe.override({"training.loss": [{"name": "dice", "weight": [1.0, 2.1]}]}), scenes, tmp_path / "run")
    assert seen == pytest.approx(np.linspace(1, 2.1, 3 * (len(scenes.splits["train"]) // 4)).tolist())


def test_missing_and_empty_splits_are_named(scenes, recipe, tmp_path):
    with pytest.raises(UsageError, match=r"no split 'trian'. Did you mean 'train'"):
        train(recipe.override({"data.train": "trian"}), scenes, tmp_path / "run")
    empty = replace(scenes, splits={**scenes.splits, "val": replace(scenes.splits["val"], items=())})
    with pytest.raises(DataError, match=r"the split 'val' of .* is empty"):
        train(recipe, empty, tmp_path / "run")


def test_recipe_chosen_for_a_plain_folder(scenes):
    chosen = recipe_for(scenes)
    pictures = len(scenes.splits["train"])
    assert chosen.input.crop[0] % 32 == chosen.input.crop[1] % 32 == 0
    assert chosen.training.batch_size == (8 if pictures >= 16 else 4)
    assert chosen.training.epochs == 100
    # ten steps between validations, as far as whole epochs allow
    assert chosen.training.validate_every >= 10 * chosen.training.batch_size // pictures > 1
    assert Recipe.from_text(chosen.to_yaml()) == chosen


def test_precision_is_the_faster_one(monkeypatch):
    from intarsia.models import build

    model = build("unet", classes=2, encoder="test_efficientnet", channels=(8, 8, 8, 8))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for fast, slow in (("fp32", "bf16"), ("bf16", "fp32")):
        times = {fast: 1.0, slow: 2.0}
        monkeypatch.setattr("intarsia.training.loop.precision.has_bf16", lambda device: True)
        monkeypatch.setattr("intarsia.training.loop.precision._seconds", lambda _m, _x, p, times=times: times[p])
        assert choose_precision(model, (3, 32, 32), 2, torch.device("cpu")) == fast
    monkeypatch.undo()
    assert choose_precision(model, (3, 32, 32), 2, torch.device("cpu")) in ("fp32", "bf16")
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def _store(folder, step):
    return save_checkpoint(folder, step, Checkpoint({"model": {"w": torch.full((50,), float(step))}}, {"step": step}))


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_a_damaged_newest_checkpoint_falls_back_and_says_so(tmp_path, damage):
    for step in (1, 2, 3):
        newest = _store(tmp_path, step)
    file = newest / "model.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "truncate":
        file.write_bytes(content[:-5])
    elif damage == "flip":
        content[-3] ^= 1
        file.write_bytes(content)
    elif damage == "remove":
        file.unlink()
    else:
        (newest / "manifest.json").write_text("{")
    checkpoint, path, damaged = load_checkpoint(tmp_path)
    assert path.name == "step-00000002"
    assert checkpoint.state == {"step": 2}
    assert torch.equal(checkpoint.tensors["model"]["w"], torch.full((50,), 2.0))
    assert len(damaged) == 1
    assert "step-00000003 is damaged" in damaged[0]


def test_all_checkpoints_damaged_is_an_error(tmp_path):
    assert load_checkpoint(tmp_path) is None
    (_store(tmp_path, 1) / "state.json").write_text("")
    with pytest.raises(ModelError, match=r"no checkpoint can be used; start again without --resume"):
        load_checkpoint(tmp_path)


def test_full_disk_keeps_the_earlier_checkpoint(tmp_path, monkeypatch):
    _store(tmp_path, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("intarsia.training.loop.checkpoint.sync", full)
    with pytest.raises(DataError, match=r"cannot write checkpoint .*step-00000002.*the disk is full; free some space"):
        _store(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
