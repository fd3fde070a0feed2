"""The bundled street model, and the recipes that ship."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.evaluation import evaluate
from intarsia.models import architecture, build
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.models.shapes import shapes_only
from intarsia.recipe import Recipe
from intarsia.transforms.clouds.features import channels
from intarsia.transforms.preprocess import prepare

ZOO = Path(str(files("intarsia") / "zoo"))
RECIPES = sorted(Path(str(files("intarsia") / "recipes")).glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_valid_commented_and_buildable(path):
    recipe = Recipe.load(path)
    assert recipe.name == path.stem
    assert recipe.description
    assert path.read_text().startswith("#")
    options = dict(recipe.model.options)
    if architecture(recipe.model.architecture).medium == "cloud":
        options.setdefault("in_channels", channels(recipe.cloud.features))  # as training does
    with shapes_only():
        build(recipe.model.architecture, classes=2, **options)


def test_street_is_small_and_tells_what_it_is():
    path = ZOO / "street.onnx"
    assert path.stat().st_size <= 10_000_000
    bundle = Bundle.load(path)
    assert bundle.space.names[:4] == ("Sky", "Building", "Pole", "Road")
    assert bundle.recipe is not None
    assert not Path(bundle.recipe["data"]["path"]).is_absolute()
    assert {"data", "terms", "limits"} <= set(bundle.card)
    card = (ZOO / "street.md").read_text()
    for word in ("CamVid", "Terms", "Limits", *bundle.space.names):
        assert word in card


def test_street_segments_real_streets(real_data):
    """A spread of the validation drive; the card's number is for all of it."""
    split = open_dataset(real_data / "camvid", ReadOptions(layout="camvid")).split("val")
    sample = replace(split, items=split.items[::10])
    predictor = intarsia.load("street")
    found = evaluate(predictor, sample)
    assert found.scores.miou > 0.68
    assert found.scores.pixel_accuracy > 0.91
    assert found.unmatched == ()


def test_fast_and_plain_paths_agree(real_data):
    split = open_dataset(real_data / "camvid", ReadOptions(layout="camvid")).split("val")
    predictor = intarsia.load("street")
    plain = restore(Bundle.of(predictor.bundle))
    same = []
    for index in range(0, len(split), 25):
        image, _ = split.read(index)
        logits = plain.logits(torch.from_numpy(prepare(image, predictor.preprocessing))).detach()
        expected = np.asarray(resize(logits, image.shape[:2]).argmax(1)[0].numpy(), dtype=np.uint8)
        same.append(float((predictor.segment(image).labels == expected).mean()))
    assert np.mean(same) >= 0.995
