"""Training on clouds through the same door as pictures: it learns, resumes exactly, and reports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import intarsia
from intarsia.bundle import Bundle
from intarsia.cli.main import main
from intarsia.datasets import open_dataset
from intarsia.datasets.of_recipe import open_data
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.preprocessing import CloudPreprocessing
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.plan.planning import plan

pytest.importorskip("scipy")
pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building"))

QUICK = (
    "training.epochs=6", "training.batch_size=2", "training.workers=0", "training.precision=fp32", "training.samples=1",
    "cloud.points=64", "cloud.blocks=16", "cloud.features=[height, intensity]", "cloud.voxel=0",
    "model.options={widths: [8, 8], neighbours: 6}",
    "optimizer.lr=0.01", "training.ema=0.5",
)  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flat ground with boxes on it, as LAZ."""
    folder = tmp_path_factory.mktemp("clouds")
    for seed, name in enumerate(("train/a", "train/b", "val/c")):
        random = np.random.default_rng(seed)
        xyz = random.uniform(0, (40, 40, 0.1), (1500, 3))
        corner = random.uniform(5, 20, 2)
        house = ((xyz[:, :2] > corner) & (xyz[:, :2] < corner + 12)).all(axis=1)
        xyz[house, 2] += 5
        given = PointCloud(
            xyz + np.array([7e5, 6e6, 0]), {"intensity": random.integers(1, 999, 1500).astype(np.uint16)}
        )
        (folder / name).parent.mkdir(exist_ok=True)
        write_labels(open_cloud(given), folder / f"{name}.laz", house.astype(np.uint8), SPACE)
    return folder


def test_train_evaluate_segment(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = intarsia.train(scenes, tmp_path / "run", changes=QUICK, progress=False)
    assert run.scores["miou"] > 0.85
    bundle = Bundle.load(run.best)
    assert isinstance(bundle.preprocessing, CloudPreprocessing)
    assert bundle.options["in_channels"] == 5
    assert bundle.space.names == ("ground", "building")
    assert "column of" in (run.folder / "card.md").read_text()
    assert "data:image/png" in (run.folder / "report.html").read_text()
    assert list((run.folder / "samples").rglob("*.png"))
    found = intarsia.evaluate(run.best, scenes, out=tmp_path / "eval")
    assert found.scores.miou == pytest.approx(run.scores["miou"], abs=1e-6)
    text = (tmp_path / "eval" / "evaluation.html").read_text()
    (page,) = (tmp_path / "eval" / "clouds").glob("*.html")
    assert f'href="clouds/{page.name}"' in text
    assert '"truth"' in page.read_text()

    target = tmp_path / "out.laz"
    assert main(["segment", str(scenes / "val/c.laz"), "-m", str(run.folder), "-o", str(target), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["records"][0]
    assert record["size"] == [1500]
    labels = read_cloud(target).label
    assert labels is not None
    assert set(labels.tolist()) <= {2, 6}
    assert main(["evaluate", str(scenes), "-m", str(run.folder), "--boundary"]) == 2
    assert "not on points" in capsys.readouterr().err


def test_resumed_run_equals_an_uninterrupted_one(scenes: Path, tmp_path: Path) -> None:
    changes = [*QUICK, "training.epochs=2", "training.checkpoint_every=1", "cloud.augment.drop=0.3"]
    whole = intarsia.train(scenes, tmp_path / "whole", changes=changes, progress=False)
    polls = iter(range(1, 100))
    with pytest.raises(KeyboardInterrupt):
        intarsia.train(scenes, tmp_path / "cut", changes=changes, progress=False, stop=lambda: next(polls) == 11)
    cut = intarsia.train(scenes, tmp_path / "cut", changes=changes, resume=True, progress=False)
    assert Bundle.load(cut.folder / "last.safetensors").checksum() == (
        Bundle.load(whole.folder / "last.safetensors").checksum()
    )


def test_forest_is_trained_by_the_same_command(scenes: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    changes = [*QUICK[:5], "cloud.features=[height, intensity]", "model.options={trees: 5, leaves: 16}"]
    recipe = Recipe.from_dict({"name": "forest", "model": {"architecture": "point_forest"}})
    run = intarsia.train(scenes, tmp_path / "run", recipe=recipe, changes=changes, progress=False)
    assert run.scores["miou"] > 0.95
    assert intarsia.evaluate(run.best, scenes).scores.miou == pytest.approx(run.scores["miou"], abs=1e-6)


def test_one_block_a_batch_has_norm_statistics(scenes: Path, tmp_path: Path) -> None:
    changes = [*QUICK, "training.batch_size=1", "training.epochs=1", "cloud.blocks=2", "model.architecture=pointnet",
               "model.options={}", "cloud.block=30.0"]  # fmt: skip
    run = intarsia.train(scenes, tmp_path / "run", changes=changes, progress=False)
    assert all(tensor.isfinite().all() for tensor in Bundle.load(run.best).state.values())


def test_mistakes_are_found_before_anything_is_trained(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'height'"):
        plan(scenes, tmp_path / "run", changes=["cloud.features=[heigth]"])
    with pytest.raises(UsageError, match=r"have to be the first feature: set cloud.features=\[normals"):
        intarsia.train(
            scenes, tmp_path / "run", progress=False,
            changes=["model.architecture=acnn", "cloud.features=[height, normals]"],
        )  # fmt: skip
    with pytest.raises(UsageError, match=r"in_channels is 9.*make 4"):
        intarsia.train(
            scenes, tmp_path / "run", progress=False,
            changes=["cloud.features=[height]", "model.options.in_channels=9"],
        )  # fmt: skip


def test_media_are_told_apart(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clouds = open_dataset(scenes)
    for architecture in ("unet", "random_forest"):
        with pytest.raises(UsageError, match=f"{architecture} takes pictures, but the data in .* are point clouds"):
            train(Recipe.from_dict({"model": {"architecture": architecture}}), clouds, tmp_path / "run")
    networks = {"model": {"architecture": "randlanet"}}
    with pytest.raises(UsageError, match="clips are made of pictures"):
        train(Recipe.from_dict({**networks, "clips": {}}), clouds, tmp_path / "run")
    both = open_data(Recipe.from_dict({**networks, "data": [{"path": str(scenes)}, {"path": str(scenes)}]}))
    assert {name: len(split) for name, split in both.splits.items()} == {
        name: 2 * len(split) for name, split in clouds.splits.items()
    }
    assert np.array_equal(both.splits["val"].read(0)[1], clouds.splits["val"].read(0)[1])
    with pytest.raises(UsageError, match=r"data\.sources\.weight is for pictures"):
        open_data(Recipe.from_dict({**networks, "data": [{"path": str(scenes)}, {"path": str(scenes), "weight": 2}]}))
    assert main(["segment", str(scenes / "val/c.laz"), "photo.jpg", "-o", str(tmp_path / "out")]) == 3
    assert "photo.jpg: this model is for point clouds" in capsys.readouterr().err
    assert main(["segment", str(scenes / "val/c.laz"), "-m", "street", "-o", str(tmp_path / "out")]) == 3
    assert "c.laz: this model is for pictures" in capsys.readouterr().err
    assert main(["data", "info", str(scenes), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["points"] == 3000
