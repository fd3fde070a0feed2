"""Classical models on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TinyRun

from intarsia.datasets.synthetic import draw_scene


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image, _ = draw_scene((60, 80), np.random.default_rng(0))
    Image.fromarray(image).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.needs_torch
def test_a_photo_falls_into_segments(cli: Cli, photo: Path, tmp_path: Path) -> None:
    found = cli.json("segment", photo, "-m", "kmeans", "--set", "clusters=4", "-o", tmp_path / "out")
    assert sorted(found["records"][0]["areas"]) == [f"segment {number}" for number in range(1, 5)]
    assert len(np.unique(np.asarray(Image.open(tmp_path / "out" / "photo.mask.png")))) == 4
    assert cli("segment", photo, "-m", "kmeans", "-o", tmp_path / "second", "--refine", "regions") == 0
    assert "segment 1" in cli.out


@pytest.mark.needs_torch
def test_wrong_numbers_of_clusters(cli: Cli, photo: Path, tmp_path: Path) -> None:
    assert cli("segment", photo, "-m", "kmeans", "--set", "clusters=0", "-o", tmp_path / "out") == 4
    assert "clusters is a number from 1 to 255, not 0" in cli.err
    assert cli("segment", photo, "-m", "kmeans", "--set", "clusers=4", "-o", tmp_path / "out") == 2
    assert "kmeans has no option 'clusers'. Did you mean 'clusters'" in cli.err


def test_train_evaluate_and_info(cli: Cli, tiny_run: TinyRun, tmp_path: Path, photo: Path) -> None:
    run = tmp_path / "run"
    options = ("--set", "model.options.trees=5", "--set", "training.pixels=3000")
    assert cli("train", tiny_run.data, "--recipe", "random-forest", "-o", run, *options) == 0
    assert "Trained in" in cli.out and "random_forest (" in cli.err
    assert cli.json("evaluate", "-m", run, tiny_run.data)["scores"]["pixel_accuracy"] > 0.7
    assert cli("segment", photo, "-m", run, "-o", tmp_path / "out") == 0
    assert cli("models", "info", run) == 0 and "random_forest" in cli.out
    found = cli.json("models", "info", "random_forest")
    assert found["gmacs"] is None and found["parameters"] > 0 and found["options"]["trees"] == 50
    assert cli("models", "info", "svm", "--set", "kernel=linear") == 0
    assert "GMAC" not in cli.out and "parameters with 21 classes" in cli.out
    assert "kmeans" in [entry["name"] for entry in cli.json("models", "list")["architectures"]]
    assert cli("recipes", "show", "random-forest") == 0 and "scribbles" in cli.out


@pytest.mark.needs_torch
def test_strokes_on_one_photo(cli: Cli, photo: Path, tmp_path: Path) -> None:
    data = tmp_path / "strokes"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    photo.rename(data / "images" / "photo.png")
    mask = np.zeros((60, 80), np.uint8)
    mask[3:6, 10:60], mask[52:55, 10:70] = 1, 2
    Image.fromarray(mask).save(data / "masks" / "photo.png")
    (data / "classes.txt").write_text("sky\nroad\n")
    assert cli("train", data, "--recipe", "scribbles", "-o", tmp_path / "run") == 0
    assert "330 pixels drawn" in cli.err
    found = cli.json("segment", data / "images" / "photo.png", "-m", tmp_path / "run", "-o", tmp_path / "out")
    assert set(found["records"][0]["areas"]) == {"sky", "road"}
    labels = np.asarray(Image.open(tmp_path / "out" / "photo.mask.png"))
    assert (labels[:6] == 0).mean() > 0.9 and (labels[50:] == 1).mean() > 0.9
