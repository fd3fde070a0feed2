"""The forest as flat arrays is scikit-learn's forest."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cloud.forest import PointForest


def test_same_probabilities_as_scikit_learn() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    random = np.random.default_rng(0)
    features = random.normal(size=(800, 4)).astype(np.float32)
    target = np.where(features[:, 0] * features[:, 1] > 0, 2, 0)  # class 1 never occurs
    model = build("point_forest", classes=3, in_channels=7, trees=9, depth=6, balanced=False)
    assert isinstance(model, PointForest)
    options = model.fit(features, target, seed=3)
    peer = ensemble.RandomForestClassifier(9, max_depth=6, random_state=3).fit(features, target)
    asked = random.normal(size=(2, 50, 7)).astype(np.float32)
    shares = model(torch.from_numpy(asked).transpose(1, 2)).exp().transpose(1, 2).reshape(-1, 3).numpy()
    assert np.allclose(shares[:, [0, 2]], peer.predict_proba(asked[..., 3:].reshape(-1, 4)), atol=1e-5)
    rebuilt = build("point_forest", classes=3, in_channels=7, trees=9, depth=6, **options)
    rebuilt.load_state_dict(model.state_dict())


def test_needs_features() -> None:
    model = build("point_forest", classes=3, in_channels=5)
    assert isinstance(model, PointForest)
    with pytest.raises(ModelError, match="needs at least one"):
        model.fit(np.zeros((3, 0), np.float32), np.zeros(3, int), seed=0)
