"""The demo: its data, and the whole walk with a tiny network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny import TINY, TinyRun

import intarsia
from intarsia.apps import demo as app
from intarsia.cli.main import main
from intarsia.datasets import open_dataset
from intarsia.inference import Predictor
from intarsia.recipe import Recipe
from intarsia.zoo import find_recipe

photos = pytest.importorskip("skimage.data")


def count_regions(mask: NDArray[np.bool_]) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8))[0] - 1  # the background is one of them


def test_the_coins_are_cut_into_training_pieces_and_a_lower_half(tmp_path: Path) -> None:
    app.write_coins(tmp_path, photos.coins())
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.space.names) == ("annotations", ("background", "coin"))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 17, "val": 1}
    image, target = dataset.splits["val"].read(0)
    assert image.shape == (152, 384, 3)
    assert np.array_equal(image[..., 0], photos.coins()[151:])
    # twelve coins, and they are brighter than what is around them
    assert count_regions(target == 1) == 12
    assert image[target == 1].mean() > image[target == 0].mean() + 50
    piece, labels = dataset.splits["train"].read(1)
    assert np.array_equal(piece[..., 0], photos.coins()[:151, 16:144])
    assert count_regions(labels == 1) == 6


def test_the_demo_walks_all_the_way(
    tmp_path: Path, tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Recipe.load(find_recipe("demo-coins")).override_text(TINY)
    monkeypatch.setattr(Recipe, "load", classmethod(lambda cls, path: tiny))
    asked: list[str] = []
    load = intarsia.load

    def load_tiny(name: str | Path) -> Predictor:
        asked.append(str(name))
        return load(tiny_run.run.folder if name == "street" else name)

    monkeypatch.setattr(intarsia, "load", load_tiny)
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder)]) == 0
    said = capsys.readouterr().out
    assert [Path(name).name for name in asked] == ["best.safetensors", "street"]
    assert "Measured on the other half: coin IoU " in said and "Next:" in said
    assert "coin" in (folder / "run" / "report.html").read_text()
    assert Image.open(folder / "street.overlay.jpg").size == (640, 427)
    # a second one does not replace the first unasked
    assert main(["demo", "-o", str(folder)]) == 2
    assert "holds an earlier demo" in capsys.readouterr().err
