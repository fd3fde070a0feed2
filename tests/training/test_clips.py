"""Training on clips, from a recipe to a bundle that segments video."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from moving import smooth_frames
from tiny import TINY, TinyRun

import intarsia
from intarsia.bundle import Bundle
from intarsia.errors import ModelError
from intarsia.inference import VideoPredictor
from intarsia.media.images import read_image
from intarsia.models import Supervised, build
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.models.video import VideoSegmenter
from intarsia.recipe import Clips
from intarsia.training.feeds.clips import ClipTraining
from intarsia.training.loop.deviation import fit_deviation

IMAGE = "{encoder: test_resnet, channels: 16}"
SHORT = (
    "training.epochs=1", "training.batch_size=4", "training.precision=fp32", "training.workers=0",
    "training.samples=0", "input.crop=[64, 64]", "clips.frames=3", "optimizer.encoder_lr=null",
)  # fmt: skip


@pytest.fixture(scope="module")
def image_bundle(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = [change for change in TINY if not change.startswith("model.")]
    model = ["model.architecture=deeplabv3plus", f"model.options={IMAGE}", "model.weights=none"]
    folder = tmp_path_factory.mktemp("image") / "run"
    return intarsia.train(tiny_run.data, folder, changes=[*changes, *model], progress=False).best


@pytest.mark.parametrize("name", ["netwarp", "stfcn", "low_latency", "accel"])
def test_a_head_is_trained_around_an_image_model(
    name: str, image_bundle: Path, tiny_run: TinyRun, tmp_path: Path
) -> None:
    recipe = Path(intarsia.__file__).parent / "recipes" / f"{name}.yaml"
    update = f", update_options: {IMAGE}" if name == "accel" else ""
    options = f"model.options={{image: deeplabv3plus, image_options: {IMAGE}{update}}}"
    run = intarsia.train(
        tiny_run.data, tmp_path / "run", recipe=recipe, progress=False,
        changes=[*SHORT, options, f"model.weights={image_bundle}"],
    )  # fmt: skip
    trained, image = Bundle.load(run.best), Bundle.load(image_bundle)
    for key, tensor in image.state.items():  # the image model is frozen, its batch-norms' statistics too
        assert torch.equal(trained.state[f"parts.image.{key}"], tensor)
    fresh = build(name, classes=len(trained.space), **trained.options).state_dict()
    changed = [key for key in fresh if "image" not in key and not torch.equal(fresh[key], trained.state[key])]
    assert changed, "nothing was learned"
    model = restore(trained)
    assert isinstance(model, VideoSegmenter)
    predictor = intarsia.load(run.best)
    frame = read_image(sorted((tiny_run.data / "images").glob("*"))[0])
    results = list(VideoPredictor(predictor).stream([frame] * 3))
    assert len(results) == 3 and results[0].segmentation.labels.shape == frame.shape[:2]


@pytest.mark.parametrize("name", ["clockwork", "feature_flow"])
def test_models_without_modules_of_their_own_train_as_images(name: str, tiny_run: TinyRun, tmp_path: Path) -> None:
    recipe = Path(intarsia.__file__).parent / "recipes" / f"{name}.yaml"
    changes = [change for change in TINY if not change.startswith("model.")]
    model = ["model.weights=none", f"model.options={{image: deeplabv3plus, image_options: {IMAGE}}}"]
    run = intarsia.train(
        tiny_run.data, tmp_path / "run", recipe=recipe, changes=[*changes, *model, "training.epochs=1"], progress=False
    )
    predictor = intarsia.load(run.best)
    frame = read_image(sorted((tiny_run.data / "images").glob("*"))[0])
    results = list(VideoPredictor(predictor).stream([frame] * 3))
    assert [result.key for result in results] == [True, False, False]
    assert np.array_equal(results[0].segmentation.labels, predictor.segment(frame).labels)


def test_image_models_train_on_clips_with_a_loss_of_consistency(tiny_run: TinyRun, tmp_path: Path) -> None:
    losses = {}
    for weight in (0.0, 5.0):
        intarsia.train(
            tiny_run.data, tmp_path / str(weight), progress=False,
            changes=[*TINY, "clips.frames=2", f"clips.consistency={weight}", "training.epochs=1"],
        )  # fmt: skip
        with (tmp_path / str(weight) / "log.csv").open() as file:
            losses[weight] = float(next(csv.DictReader(file))["loss"])
    assert losses[5.0] > losses[0.0]


def test_smaller_logits_are_compared_where_the_motion_is_known() -> None:
    training = ClipTraining(Clips(frames=2, consistency=1.0), ignore_index=255)
    torch.manual_seed(0)
    clip = training.make(torch.rand(2, 3, 32, 48), torch.zeros(2, 32, 48, dtype=torch.long))
    small = torch.randn(4, 3, 8, 12)
    found, expected = (
        training.consistency([Supervised(logits, 1.0)], clip) for logits in (small, resize(small, (32, 48)))
    )
    assert torch.equal(found, expected) and found > 0


def test_resuming_on_clips_is_exact(image_bundle: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    recipe = Path(intarsia.__file__).parent / "recipes" / "stfcn.yaml"
    options = f"model.options={{image: deeplabv3plus, image_options: {IMAGE}}}"
    changes = [*SHORT, options, f"model.weights={image_bundle}", "training.epochs=2"]
    whole = intarsia.train(tiny_run.data, tmp_path / "whole", recipe=recipe, progress=False, changes=changes)
    parted = intarsia.train(tiny_run.data, tmp_path / "parted", recipe=recipe, progress=False, changes=changes)
    latest = sorted((tmp_path / "parted" / "checkpoints").iterdir())
    for later in latest[1:]:
        for file in later.iterdir():
            file.unlink()
        later.rmdir()
    again = intarsia.train(
        tiny_run.data, tmp_path / "parted", recipe=recipe, progress=False, changes=changes, resume=True
    )
    first, second, third = (Bundle.load(run.folder / "last.safetensors").state for run in (whole, parted, again))
    assert all(torch.equal(first[key], second[key]) and torch.equal(first[key], third[key]) for key in first)


def test_the_deviation_is_learned_from_the_models_own_labels() -> None:
    torch.manual_seed(0)
    model = build("low_latency", classes=3, image_options={"encoder": "test_resnet", "channels": 16})
    assert isinstance(model, VideoSegmenter) and model.deviation is not None
    torch.nn.init.normal_(model.parts.image.head.weight, std=1.0)  # type: ignore[union-attr, arg-type]
    before = {key: value.clone() for key, value in model.state_dict().items() if "deviation" not in key}
    stills = torch.cat(smooth_frames(6, shift=9.0))
    errors = fit_deviation(model, stills, steps=60, batch=3, lr=5e-3)
    assert sum(errors[-15:]) < 0.5 * sum(errors[:15])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items() if key in before)
    with pytest.raises(ModelError, match="no predictor of the deviation"):
        fit_deviation(build("netwarp", classes=3, image_options={"encoder": "test_resnet"}), stills)  # type: ignore[arg-type]
