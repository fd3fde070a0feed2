"""One sweep over every classical model, as test_architectures.py is one over every network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from stripes import SMALL, stripes

from intarsia.bundle import Bundle
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import architecture, architectures_by_medium, build
from intarsia.models.classical import ClassicalModel
from intarsia.models.classical import model as classical_model
from intarsia.models.cost import parameters
from intarsia.models.restore import restore
from intarsia.models.shapes import shapes_only
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Recipe
from intarsia.runtimes.torch import accelerate
from intarsia.transforms.preprocess import normalise
from intarsia.zoo import find_recipe

EVERY = sorted(name for name, found in architectures_by_medium()["image"].items() if found.fitted)
Fitted = Callable[..., ClassicalModel]
SPACE = LabelSpace(("a", "b", "c"))
RGB = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
GREY = Preprocessing(mean=(0,), std=(1,))


def shown(height: int, width: int, channels: int = 3) -> torch.Tensor:
    """The stripes as a batch of one."""
    return torch.from_numpy(stripes(height, width, channels)[0]).permute(2, 0, 1)[None]


def photo(height: int, width: int) -> np.ndarray:
    """The stripes as 8-bit pixels."""
    return (stripes(height, width)[0] * 255).astype(np.uint8)


def as_bundle(model: ClassicalModel, name: str, preprocessing: Preprocessing = RGB) -> Bundle:
    options = {**SMALL[name], "in_channels": model.in_channels}
    return Bundle(name, options, SPACE, preprocessing, model.state_dict())


def test_which_models_these_are() -> None:
    assert sorted(SMALL) == EVERY == ["kmeans", "random_forest", "svm"]


@pytest.mark.parametrize("name", EVERY)
def test_learns_stripes(name: str, fitted: Fitted) -> None:
    labels = fitted(name)(shown(40, 90)).argmax(1)[0]
    expected = torch.arange(90) * 3 // 90
    inner = [column for column in range(90) if 4 <= column % 30 < 26]
    assert (labels == expected)[:, inner].float().mean() > 0.95


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [(64, 64), (65, 43), (1, 1), (1, 30), (3, 200)])
def test_logits_have_the_size_of_the_input(name: str, size: tuple[int, int], fitted: Fitted) -> None:
    logits = fitted(name).logits(torch.rand(2, 3, *size))
    assert logits.shape == (2, 3, *size) and logits.isfinite().all() and logits.dtype == torch.float32


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 4])
def test_number_of_input_channels(name: str, channels: int, fitted: Fitted) -> None:
    model = fitted(name, channels)
    assert model.in_channels == channels
    x = shown(30, 40, channels)
    before = model(x)
    for channel in range(channels):
        changed = x.clone()
        changed[:, channel] = 1 - changed[:, channel]
        assert not torch.equal(model(changed), before), "every channel is seen"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("classes", [1, 2, 19, 150])
def test_number_of_classes(name: str, classes: int) -> None:
    model = build(name, classes=classes).eval()
    assert model(torch.rand(1, 3, 8, 8)).shape == (1, classes, 8, 8), "an unfitted one answers too"
    assert parameters(model) > 0
    with shapes_only():
        assert parameters(build(name, classes=classes)) == parameters(model)


@pytest.mark.parametrize("name", EVERY)
def test_independent_of_the_batch_and_of_memory_order(name: str, fitted: Fitted) -> None:
    x = torch.rand(3, 3, 40, 56)
    model = fitted(name)
    together = model(x)
    assert torch.equal(together[1:2], model(x[1:2]))
    assert torch.equal(together, model(x.contiguous(memory_format=torch.channels_last)))


@pytest.mark.parametrize("name", EVERY)
def test_strips_are_the_whole(name: str, fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures are described a strip at a time, which must not show."""
    model, x = fitted(name), shown(400, 70)
    expected = model(x)
    monkeypatch.setattr(classical_model, "_STRIP_BYTES", 1)
    assert len(list(model.strips(400, 70))) == 7
    assert torch.allclose(model(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("grey", [False, True])
def test_tiles_are_the_whole(name: str, grey: bool, fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    """With position among the features, and a margin of 48 pixels (24 for kmeans) around each tile."""
    model = fitted(name, 1 if grey else 3)
    preprocessing = GREY if grey else RGB
    picture = photo(330, 450)
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 0)
    tiled = Predictor(as_bundle(model, name, preprocessing), tile=256)
    assert tiled._overlap >= 2 * model.margin > 0
    found = tiled.probabilities(picture)
    whole = model(torch.from_numpy(normalise(picture, preprocessing))).softmax(1)[0].numpy()
    assert np.abs(found - whole).max() <= 1e-5
    assert np.array_equal(found.argmax(0), whole.argmax(0))


@pytest.mark.parametrize("name", EVERY)
def test_position_follows_tiles_mirror_images_and_scales(
    name: str, fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = as_bundle(fitted(name), name)
    picture = photo(330, 450)
    settings: dict[str, Any] = {"tile": 256, "tta": True, "scales": (1.0, 0.5)}
    whole = Predictor(bundle, **settings).probabilities(picture)
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 0)
    tiled = Predictor(bundle, **settings).probabilities(picture)
    # Half-size tiles are resized apart from each other, which margins do not cover: not exactly, but almost.
    assert np.abs(tiled - whole).mean() < 2e-3


@pytest.mark.parametrize("name", EVERY)
def test_a_bundle_brings_the_model_back(name: str, fitted: Fitted, tmp_path: Any) -> None:
    model = fitted(name)
    as_bundle(model, name).save(tmp_path / "model.safetensors")
    restored = restore(Bundle.load(tmp_path / "model.safetensors"))
    x = shown(40, 56)
    assert torch.equal(restored(x), model(x))
    other = Bundle.load(tmp_path / "model.safetensors")
    other.space = LabelSpace(("a", "b"))
    with pytest.raises(ModelError, match="its label space has 2 classes, but its head predicts 3"):
        restore(other)


@pytest.mark.parametrize("name", EVERY)
def test_a_bundle_stored_as_float16_predicts_alike(name: str, fitted: Fitted, tmp_path: Any) -> None:
    model = fitted(name)
    as_bundle(model, name).save(tmp_path / "half.safetensors", half=True)
    x = shown(40, 56)
    same = restore(Bundle.load(tmp_path / "half.safetensors"))(x).argmax(1) == model(x).argmax(1)
    assert same.float().mean() > 0.98


@pytest.mark.parametrize("name", EVERY)
def test_predicts_in_float32_whatever_is_asked(name: str, fitted: Fitted) -> None:
    model, x = fitted(name), shown(30, 40)
    fast = accelerate(model, "bf16")
    assert {p.dtype for p in fast.parameters()} == {torch.float32}
    assert torch.equal(fast.logits(x), model.logits(x))


@pytest.mark.parametrize("name", EVERY)
def test_superpixels_share_their_labels(name: str, fitted: Fitted) -> None:
    model = fitted(name, superpixels=60)
    assert model.margin == 0, "superpixels depend on the whole picture, so tiles are blended"
    x = shown(40, 90)
    logits = model(x)[0]
    assert logits.shape == (3, 40, 90)
    distinct = len(torch.unique(logits.flatten(1), dim=1).T)
    assert distinct <= 40 * 90 / 60 * 1.5
    assert model(torch.rand(1, 3, 1, 1)).shape == (1, 3, 1, 1)
    assert model(torch.full((1, 3, 20, 30), 0.5)).isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_segments_any_picture(name: str, fitted: Fitted) -> None:
    predictor = Predictor(as_bundle(fitted(name), name), confidence=True)
    for picture in (
        Image.fromarray(photo(50, 70)),
        np.zeros((1, 1), np.uint8),
        np.full((5, 300, 3), 200, np.uint8),
        np.zeros((300, 5, 4), np.uint8),
    ):
        found = predictor.segment(picture)
        assert found.labels.max() < 3 and found.confidence is not None and (found.confidence > 0.3).all()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(name: str, value: float, fitted: Fitted) -> None:
    x = torch.rand(1, 3, 20, 20)
    x[0, 1, 3, 4] = value
    with pytest.raises(DataError, match=r"not finite \(NaN or infinity\)"):
        fitted(name)(x)


@pytest.mark.parametrize("name", EVERY)
def test_wrong_channels(name: str, fitted: Fitted) -> None:
    with pytest.raises(ModelError, match=r"takes pictures \(N, 3, H, W\), not \(1, 4, 20, 20\)"):
        fitted(name)(torch.rand(1, 4, 20, 20))
    with pytest.raises(ModelError, match=r"not \(3, 20, 20\)"):
        fitted(name).logits(torch.rand(3, 20, 20))
    with pytest.raises(ModelError, match="at least one channel, not 0"):
        build(name, classes=2, in_channels=0)


@pytest.mark.parametrize("name", EVERY)
def test_options(name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} has no option 'in_chanels'. Did you mean 'in_channels'"):
        build(name, classes=2, in_chanels=3)
    with pytest.raises(ModelError, match="superpixels is the number of pixels of one, or 0 for none, not -5"):
        build(name, classes=2, superpixels=-5)
    with pytest.raises(ModelError, match="scales are standard deviations"):
        build(name, classes=2, scales=[])


@pytest.mark.parametrize("name", EVERY)
def test_every_model_is_documented_and_has_a_recipe(name: str) -> None:
    found = architecture(name)
    assert len(found.summary) > 20 and "doi:" in found.paper
    assert all(f"\n        {option}: " in (found.builder.__doc__ or "") for option in found.options)
    recipe = Recipe.load(find_recipe(name))
    assert recipe.model.architecture == name
    build(name, classes=2, **recipe.model.options)
    assert find_recipe(name.replace("_", "-")) == find_recipe(name)
