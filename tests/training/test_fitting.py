"""Classical models through the same door as networks: runs, reports, scribbles, and what is wrong with the data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from stripes import SMALL

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.synthetic import draw_scene
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.models.restore import restore
from intarsia.recipe import Recipe
from intarsia.training import Run, train

EVERY = sorted(SMALL)


def recipe_of(name: str, **changes: Any) -> Recipe:
    recipe = Recipe.from_dict({"name": name, "model": {"architecture": name, "options": SMALL[name]}})
    return recipe.override({"training.pixels": 2000, "training.samples": 1, **changes})


def fit(name: str, dataset: Dataset, folder: Path, **changes: Any) -> tuple[Run, str]:
    """A run, and what was said."""
    said = io.StringIO()
    run = train(recipe_of(name, **changes), dataset, folder, console=Console(file=said, width=200))
    return run, said.getvalue()


def painted(folder: Path, masks: list[np.ndarray], names: str = "sky\nroad\n") -> Path:
    """A data set of drawn scenes with the given masks."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number, mask in enumerate(masks):
        image, _ = draw_scene(mask.shape, np.random.default_rng(number))
        Image.fromarray(image).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{number}.png")
    (folder / "classes.txt").write_text(names)
    return folder


@pytest.mark.parametrize("name", EVERY)
def test_a_run_has_everything_a_network_s_has(name: str, scenes: Dataset, tmp_path: Path) -> None:
    run, said = fit(name, scenes, tmp_path / "run")
    assert run.best == tmp_path / "run" / "best.safetensors"
    assert {path.name for path in run.folder.iterdir()} == {
        "best.safetensors", "last.safetensors", "labels.json", "log.csv", "log.jsonl", "recipe.yaml", "samples",
    }  # fmt: skip
    assert run.scores["pixel_accuracy"] > {"kmeans": 0.6, "random_forest": 0.75, "svm": 0.75}[name]
    rows = list(csv.DictReader((run.folder / "log.csv").open()))
    assert len(rows) == 1 and float(rows[0]["val_miou"]) == pytest.approx(run.scores["miou"])
    assert f"{rows[0]['pixels']} pixels drawn" in said.replace(",", "") and "val mIoU" in said
    bundle = Bundle.load(run.best)
    assert bundle.architecture == name and bundle.metrics["val_miou"] == pytest.approx(run.scores["miou"])
    assert bundle.metrics["pixels"] <= 2000 and "epoch" not in bundle.metrics
    assert bundle.recipe is not None and bundle.recipe["training"]["pixels"] == 2000
    assert len(list((run.folder / "samples").rglob("*.jpg"))) == 1
    found = intarsia.evaluate(run.folder, scenes.root, split="val")
    assert found.matrix.compute().miou == pytest.approx(run.scores["miou"], abs=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_the_same_seed_gives_the_same_model(name: str, scenes: Dataset, tmp_path: Path) -> None:
    states = []
    for number, seed in enumerate((0, 0, 1)):
        run, _ = fit(name, scenes, tmp_path / str(number), **{"training.seed": seed})
        states.append(Bundle.load(run.best).state)
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert any(not torch.equal(value, states[2][key]) for key, value in states[0].items())


def test_reports_and_cards_speak_of_pixels(scenes: Dataset, tmp_path: Path) -> None:
    run = intarsia.train(scenes.root, tmp_path / "run", recipe=recipe_of("random_forest"), progress=False)
    page = (run.folder / "report.html").read_text()
    assert "Fitted to" in page and "pixels" in page and "Best epoch" not in page
    assert "Curves" not in page, "one row makes no curve"
    assert "random_forest" in (run.folder / "card.md").read_text()


def test_superpixels_and_grey_pictures(scenes: Dataset, tmp_path: Path) -> None:
    options = {"model.options.superpixels": 20, "model.options.in_channels": 1}
    run, _ = fit("random_forest", scenes, tmp_path / "run", **options)
    assert run.scores["pixel_accuracy"] > 0.5
    assert Bundle.load(run.best).preprocessing.mean == (0,)


def test_class_weights_favour_rare_classes(tmp_path: Path) -> None:
    """A class of 3 % that looks almost like its neighbour: the more it weighs, the more often it is predicted."""
    random = np.random.default_rng(0)
    masks = [(random.random((40, 40)) < 0.03).astype(int) for _ in range(4)]
    dataset = open_dataset(painted(tmp_path / "data", masks))
    shares = []
    for rule in ("none", "median_frequency"):
        changes = {"training.class_weights": rule, "model.options.leaves": 4, "training.pixels": 400}
        run, _ = fit("random_forest", dataset, tmp_path / rule, **changes)
        model, photo = restore(Bundle.load(run.best)), dataset.splits["val"].read(0)[0]
        x = torch.from_numpy(photo / 255).float().permute(2, 0, 1)[None]
        shares.append(float(model(x).softmax(1)[:, 1].mean()))
    assert shares[0] < 0.12 and 0.3 < shares[1] < 0.7


@pytest.mark.parametrize("name", EVERY)
def test_a_few_scribbles_on_one_photo(name: str, tmp_path: Path) -> None:
    """Value 0 is not labelled; two short strokes; the only picture is measured on its own strokes."""
    mask = np.zeros((60, 80), np.uint8)
    mask[3:6, 10:60], mask[52:55, 10:70] = 1, 2
    data = painted(tmp_path / "data", [mask])
    recipe = recipe_of(name).override(
        {"data.ignore": [0], "data.val": "train", "training.class_weights": "median_frequency"}
    )
    recipe = recipe.override({"model.options.position": 0 if name == "kmeans" else False})
    run = intarsia.train(data, tmp_path / "run", recipe=recipe, progress=False)
    bundle = Bundle.load(run.best)
    assert bundle.space.names == ("sky", "road") and bundle.metrics["pixels"] <= 2000
    if name != "kmeans":
        assert bundle.metrics["pixels"] == 50 * 3 + 60 * 3
    labels = intarsia.load(run.folder).segment(data / "images" / "0.png").labels
    _, truth = draw_scene((60, 80), np.random.default_rng(0))
    assert (labels[truth == 0] == 0).mean() > 0.8 and (labels[truth == 3] == 1).mean() > 0.8
    assert (labels < 2).all(), "every pixel gets a class"


def test_resume(scenes: Dataset, tmp_path: Path) -> None:
    run, _ = fit("random_forest", scenes, tmp_path / "run")
    with pytest.raises(UsageError, match="already holds a run; continue it with --resume"):
        fit("random_forest", scenes, tmp_path / "run")
    before = run.best.stat().st_mtime_ns
    again = train(recipe_of("random_forest"), scenes, run.folder, resume=True)
    assert again.scores == pytest.approx(run.scores) and run.best.stat().st_mtime_ns == before
    (run.folder / "log.csv").unlink()
    train(recipe_of("random_forest"), scenes, run.folder, resume=True)
    assert run.best.stat().st_mtime_ns > before and (run.folder / "log.csv").exists()


def test_a_class_that_nobody_labelled_is_told_and_never_predicted(scenes: Dataset, tmp_path: Path) -> None:
    masks = [np.where(np.arange(40)[:, None] < 20, 0, 1).repeat(50, 1) for _ in range(3)]
    dataset = open_dataset(painted(tmp_path / "data", masks, "sky\nroad\nzebra\n"))
    for name in EVERY:
        run, said = fit(name, dataset, tmp_path / name)
        assert "no labelled pixel in training, so never predicted: zebra" in said
        labels = intarsia.load(run.folder).segment(dataset.root / "images" / "0.png").labels
        assert set(np.unique(labels)) <= {0, 1}


@pytest.mark.parametrize("name", ["random_forest", "svm"])
def test_one_class_only(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(painted(tmp_path / "data", [np.ones((20, 30))] * 3))
    with pytest.raises(DataError, match="all labelled pixels of the split 'train' are 'road': there is nothing to"):
        fit(name, dataset, tmp_path / "run")


@pytest.mark.parametrize("name", EVERY)
def test_nothing_labelled(name: str, tmp_path: Path) -> None:
    halves = np.where(np.arange(20)[:, None] < 10, 0, 1).repeat(30, 1)
    masks = [np.full((20, 30), 255), np.full((20, 30), 255), halves]
    whole = open_dataset(painted(tmp_path / "data", masks), val_fraction=0).splits["all"]
    splits = {
        "train": replace(whole, name="train", items=whole.items[:2]),
        "val": replace(whole, items=whole.items[2:]),
    }
    dataset = Dataset(whole.root, "folder", whole.space, splits)
    with pytest.raises(DataError, match=r"the split 'train' has no labelled pixel.*intarsia segment PHOTO -m kmeans"):
        fit(name, dataset, tmp_path / "run")
    assert not (tmp_path / "run" / "log.csv").exists() and not list((tmp_path / "run").glob("*.safetensors"))


def test_damaged_pictures(scenes: Dataset, tmp_path: Path) -> None:
    data = painted(tmp_path / "data", [np.where(np.arange(20)[:, None] < 10, 0, 1).repeat(30, 1) for _ in range(6)])
    dataset = open_dataset(data)
    damaged = dataset.splits["train"].items[0].input
    damaged.write_bytes(damaged.read_bytes()[:200])
    _, said = fit("random_forest", dataset, tmp_path / "run", **{"training.max_bad_samples": 0.5})
    assert f"left out: {damaged}" in said or f"left out: cannot read {damaged}" in said
    with pytest.raises(DataError, match=r"1 of \d training samples cannot be read, more than training.max_bad_samples"):
        fit("random_forest", dataset, tmp_path / "strict")


@pytest.mark.parametrize(
    ("name", "changes", "error", "said"),
    [
        ("random_forest", {"model.options.trees": 0}, ModelError, "at least one tree"),
        ("random_forest", {"model.options.trees": "many"}, UsageError, "trees is a whole number, not 'many'"),
        ("random_forest", {"model.options.tress": 9}, UsageError, "Did you mean 'trees'"),
        ("random_forest", {"model.options.in_channels": 4}, ModelError, "set model.options.in_channels to 3 or 1"),
        ("random_forest", {"model.weights": "pypi"}, UsageError, "starts from no weights; set model.weights to none"),
        ("random_forest", {"data.val": "vall"}, UsageError, "Did you mean 'val'"),
        ("random_forest", {"training.monitor": "miuo"}, UsageError, "Did you mean 'miou'"),
        ("svm", {"training.pixels": 30}, DataError, "labelled pixels for 60 landmarks"),
        ("kmeans", {"training.pixels": 20}, DataError, "20 pixels cannot form 24 clusters"),
    ],
)
def test_absurd_recipes(
    name: str, changes: dict[str, Any], error: type[Exception], said: str, scenes: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        fit(name, scenes, tmp_path / "run", **changes)


def test_settings_of_networks_are_told_to_be_useless(scenes: Dataset, tmp_path: Path) -> None:
    _, said = fit("svm", scenes, tmp_path / "run", **{"optimizer.lr": 0.1, "augment.flip": 0})
    assert "svm has no use for the recipe's optimizer and augment" in said


def test_not_under_torchrun(scenes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="random_forest is fitted by one process; start it without torchrun"):
        fit("random_forest", scenes, tmp_path / "run")


def test_without_scikit_learn(scenes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting says what to install; what was fitted elsewhere predicts without it."""
    run, _ = fit("random_forest", scenes, tmp_path / "run")
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(UsageError, match=r"sklearn.ensemble is not installed.*pip install 'intarsia\[classical\]'"):
        fit("random_forest", scenes, tmp_path / "other")
    assert intarsia.load(run.folder).segment(np.zeros((9, 9, 3), np.uint8)).labels.shape == (9, 9)


def test_the_plan_tells_what_will_be_fitted(scenes: Dataset, tmp_path: Path) -> None:
    from intarsia.training.plan.planning import plan

    lines = plan(scenes.root, tmp_path / "run", recipe=recipe_of("svm")).summary()
    assert lines[-1].startswith("recipe: svm (landmarks=60), 2,000 pixels; written to ")
    assert not any("random weights" in line or "epochs" in line for line in lines)
    assert json.dumps(recipe_of("svm").to_dict())
