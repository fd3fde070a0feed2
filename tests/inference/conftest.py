"""Networks whose answers are known, inside a real predictor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from intarsia.bundle import Bundle, Preprocessing
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import SegmentationModel

PLAIN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Constant(SegmentationModel):
    """The same logits everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor([0.25, 0.75, 0.5]))

    def logits(self, x: Tensor) -> Tensor:
        height, width = -(-x.shape[2] // 4), -(-x.shape[3] // 4)
        return self.values[None, :, None, None].expand(len(x), -1, height, width)


class Local(SegmentationModel):
    """Random convolutions with zero padding and a receptive field of 15 pixels."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(8, 5, 3, padding=1),
            )  # fmt: skip

    def logits(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out


MakePredictor = Callable[..., Predictor]


@pytest.fixture
def make_predictor(monkeypatch: pytest.MonkeyPatch) -> MakePredictor:
    """Build a predictor around one of the networks here: make_predictor(model, classes, **options)."""

    def make(
        model: SegmentationModel,
        classes: int = 2,
        *,
        preprocessing: Preprocessing = PLAIN,
        recipe: dict[str, Any] | None = None,
        **options: Any,
    ) -> Predictor:
        monkeypatch.setattr("intarsia.inference.predictor.restore", lambda bundle: model.eval())
        space = LabelSpace(("dark", "bright", "third", "fourth", "fifth")[:classes])
        bundle = Bundle("none", {}, space, preprocessing, dict(model.state_dict()), recipe=recipe)
        return Predictor(bundle, precision="fp32", **options)

    return make


@pytest.fixture
def local() -> SegmentationModel:
    return Local()


@pytest.fixture
def constant() -> SegmentationModel:
    return Constant()


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image is tiled, however small."""
    monkeypatch.setattr("intarsia.inference.predictor.WHOLE_PIXELS", 0)
