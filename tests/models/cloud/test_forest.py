"""The forest of single points is scikit-learn's forest on their features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.errors import ModelError
from intarsia.models import architecture, build
from intarsia.models.classical import FittingData
from intarsia.models.cloud.forest import PointForest


def test_same_probabilities_as_scikit_learn() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    random = np.random.default_rng(0)
    features = random.normal(size=(800, 4)).astype(np.float32)
    target = np.where(features[:, 0] * features[:, 1] > 0, 2, 0)  # class 1 never occurs
    weights = random.uniform(0.5, 2, 800).astype(np.float32)
    model = build("point_forest", classes=3, in_channels=7, trees=9, leaves=40)
    assert isinstance(model, PointForest)
    model.head.fit(FittingData(features, target, weights), seed=3, progress=lambda what, done, total: None)
    peer = ensemble.RandomForestClassifier(9, max_leaf_nodes=40, random_state=3).fit(features, target, weights)
    asked = random.normal(size=(2, 50, 7)).astype(np.float32)
    shares = model(torch.from_numpy(asked).transpose(1, 2)).softmax(1).transpose(1, 2).reshape(-1, 3).numpy()
    assert np.allclose(shares[:, [0, 2]], peer.predict_proba(asked[..., 3:].reshape(-1, 4)), atol=1e-5)
    moved = torch.from_numpy(asked + np.float32([5, 5, 5, 0, 0, 0, 0])).transpose(1, 2)
    assert torch.equal(model(moved), model(torch.from_numpy(asked).transpose(1, 2))), "coordinates do not matter"


def test_needs_features() -> None:
    assert architecture("point_forest").fitted
    with pytest.raises(ModelError, match=r"needs at least one; set cloud\.features"):
        build("point_forest", classes=3, in_channels=3)
