"""K-means: the nearest centre, the groups' weights, and how clusters get classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from intarsia.errors import DataError, ModelError
from intarsia.models import build
from intarsia.models.classical import FittingData
from intarsia.models.classical.kmeans import Clusters
from intarsia.models.classical.model import UNLABELLED

CORNERS = np.array([[0, 0], [4, 0], [0, 4], [4, 4]], np.float32)


def blobs(counts: tuple[int, ...] = (400, 300, 200, 100)) -> tuple[np.ndarray, np.ndarray]:
    """Points around four corners, and the corner of each."""
    which = np.repeat(np.arange(4), counts)
    return (CORNERS[which] + np.random.default_rng(0).normal(size=(len(which), 2)) * 0.2).astype(np.float32), which


def clustered(values: np.ndarray, labels: np.ndarray, classes: int, clusters: int) -> Clusters:
    head = Clusters([("colour", 1.0)] * values.shape[1], classes, clusters)
    weights = np.ones(len(values), np.float32)
    head.fit(FittingData(values, labels.astype(np.int64), weights), seed=0, progress=lambda *_: None)
    return head


def test_finds_what_scikit_learn_finds() -> None:
    values, which = blobs()
    head = clustered(values, np.full(len(values), UNLABELLED), 4, 4)
    numbers = head.nearest(torch.from_numpy(values.T)).numpy()
    assert np.array_equal(numbers, which), "the largest first"
    theirs = KMeans(4, n_init=3, random_state=0).fit(values * head.scale.numpy())
    order = np.lexsort(theirs.cluster_centers_.T)
    ours = head.centres.numpy()
    assert np.allclose(ours[np.lexsort(ours.T)], theirs.cluster_centers_[order], atol=1e-2)
    fresh = np.random.default_rng(1).uniform(-1, 5, (500, 2)).astype(np.float32)
    distances = ((fresh * head.scale.numpy())[:, None] - ours) ** 2
    assert np.array_equal(head.nearest(torch.from_numpy(fresh.T)).numpy(), distances.sum(2).argmin(1))
    logits = head(torch.from_numpy(values.T))
    assert np.array_equal(logits.argmax(0).numpy(), which) and logits.softmax(0).max(0).values.min() > 0.999


def test_clusters_take_the_class_of_their_majority() -> None:
    """Corners 0 and 3 are class 1, also where nine of ten pixels are not labelled; the shares are probabilities."""
    values, which = blobs()
    labels = np.array([1, 0, 2, 1])[which]
    labels[which == 1] = np.resize([0, 0, 0, 2], 300)
    sparse = np.where(np.random.default_rng(0).random(1000) < 0.5, labels, UNLABELLED)
    head = clustered(values, sparse, 3, 4)
    probabilities = head(torch.from_numpy(values.T)).softmax(0).numpy()
    assert np.array_equal(probabilities.argmax(0), np.array([1, 0, 2, 1])[which])
    assert probabilities[0, which == 1].mean() == pytest.approx(0.75, abs=0.08)


def test_a_cluster_without_a_labelled_pixel_takes_what_is_common() -> None:
    values, which = blobs()
    head = clustered(values, np.where(which == 0, 1, np.where(which == 1, 0, UNLABELLED)), 2, 4)
    probabilities = head(torch.from_numpy(values.T)).softmax(0).numpy()
    assert probabilities[1, which == 3].mean() == pytest.approx(400 / 700, abs=1e-3)


def test_groups_weigh_what_they_are_told() -> None:
    """Each group has the variance weight^2, whatever its units and number; features within keep their proportions."""
    random = np.random.default_rng(0)
    values = (random.normal(size=(5000, 4)) * [100, 50, 0.01, 0]).astype(np.float32)
    head = Clusters([("colour", 1.0), ("colour", 1.0), ("texture", 0.5), ("position", 1.0)], 3, 3)
    head.fit(
        FittingData(values, np.full(5000, UNLABELLED), np.ones(5000, np.float32)), seed=0, progress=lambda *_: None
    )
    variance = (values * head.scale.numpy()).var(axis=0)
    assert variance[:2].sum() == pytest.approx(1, rel=1e-3) and variance[0] / variance[1] == pytest.approx(4, rel=0.1)
    assert variance[2] == pytest.approx(0.25, rel=1e-3) and head.scale[3] == 0


def test_a_flat_picture_is_one_segment() -> None:
    values = np.full((50, 2), 0.3, np.float32)
    head = clustered(values, np.full(50, UNLABELLED), 3, 3)
    assert len(set(head(torch.from_numpy(values.T)).argmax(0).tolist())) == 1


def test_absurd_options() -> None:
    values, which = blobs((3, 2, 2, 2))
    with pytest.raises(DataError, match="9 pixels cannot form 10 clusters; ask for fewer"):
        clustered(values, which, 4, 10)
    with pytest.raises(DataError, match=r"no pixel is labelled.*segment PHOTO -m kmeans"):
        clustered(values, np.full(9, UNLABELLED), 3, 4)
    with pytest.raises(ModelError, match="clusters is at least 1, or 0 for as many as classes, not -1"):
        build("kmeans", classes=2, clusters=-1)
    with pytest.raises(ModelError, match="one of them is above 0"):
        build("kmeans", classes=2, colour=0, texture=0, position=0)
    assert len(build("kmeans", classes=7).head.centres) == 7
