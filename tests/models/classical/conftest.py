"""Classical models that are fitted to one drawn picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stripes import SMALL, stripes

from intarsia.media.source import Place
from intarsia.models import build
from intarsia.models.classical import ClassicalModel, FittingData
from intarsia.models.classical.model import UNLABELLED


@pytest.fixture(scope="session")
def fitted() -> Callable[..., ClassicalModel]:
    """A registered classical model with small options, fitted to `stripes`; the same arguments give the same model."""
    made: dict[str, ClassicalModel] = {}

    def make(name: str, channels: int = 3, **options: Any) -> ClassicalModel:
        key = repr((name, channels, sorted(options.items())))
        if key not in made:
            model = build(name, classes=3, in_channels=channels, **{**SMALL[name], **options})
            assert isinstance(model, ClassicalModel)
            made[key] = _fit(model)
        return made[key]

    return make


def _fit(model: ClassicalModel) -> ClassicalModel:
    """Fit a model to half of the pixels."""
    shown, labels = stripes(48, 60, model.in_channels)
    (strip,) = model.strips(48, 60)
    planes, groups = model.describe(shown, strip, Place((0, 48), (0, 60), (48, 60)))
    features = planes if groups is None else planes[:, groups]
    known = np.where(np.random.default_rng(1).random(labels.size) < 0.5, labels.ravel(), UNLABELLED)
    if model.head.needs_labels:
        features, known = features[:, known >= 0], known[known >= 0]
    samples = FittingData(np.ascontiguousarray(features.T), known, np.ones(len(known), np.float32))
    model.head.fit(samples, seed=0, progress=lambda *_: None)
    return model.eval()
