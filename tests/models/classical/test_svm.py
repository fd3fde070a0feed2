"""The stored machines are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from intarsia.errors import DataError, ModelError
from intarsia.models import build
from intarsia.models.classical import FittingData
from intarsia.models.classical.svm import KernelMachine, LinearMachine

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iteration")


def samples(classes: int, count: int = 2000) -> FittingData:
    """Features of different means and spreads."""
    random = np.random.default_rng(0)
    values = random.normal(size=(count, 6)) * [1, 0.1, 0.3, 1, 1, 0.5] + [0, 0.5, -0.2, 0, 1, 0]
    labels = (np.abs(values[:, :classes] - values.mean(0)[:classes]) / values.std(0)[:classes]).argmax(1)
    return FittingData(
        values.astype(np.float32), labels.astype(np.int64), random.uniform(0.5, 2, count).astype(np.float32)
    )


def theirs(data: FittingData, *middle: object) -> Pipeline:
    machine = SGDClassifier(alpha=1e-4, average=True, max_iter=30, random_state=0)
    return make_pipeline(StandardScaler(), *middle, machine).fit(
        data.features.astype(np.float64), data.labels, sgdclassifier__sample_weight=data.weights
    )


def expected(pipeline: Pipeline, features: np.ndarray) -> np.ndarray:
    decision = pipeline.decision_function(features)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision


@pytest.mark.parametrize("classes", [2, 4])
def test_linear_scores_are_the_decision_function(classes: int) -> None:
    data = samples(classes)
    head = LinearMachine(6, classes, alpha=1e-4)
    head.fit(data, seed=0, progress=lambda *_: None)
    found = head.double().decision(torch.from_numpy(data.features.T.astype(np.float64))).T.numpy()
    wanted = expected(theirs(data), data.features)
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max(), "the rounding of weights to float32"


@pytest.mark.parametrize("classes", [2, 4])
def test_kernel_scores_are_those_of_the_nystroem_map(classes: int) -> None:
    data = samples(classes)
    head = KernelMachine(6, classes, landmarks=50, gamma=0.3, alpha=1e-4)
    head.fit(data, seed=0, progress=lambda *_: None)
    nystroem = Nystroem(gamma=0.3, n_components=50, random_state=0)
    wanted = expected(theirs(data, FunctionTransformer(np.float32), nystroem), data.features.astype(np.float64))
    planes = torch.from_numpy(data.features.T)
    scale = np.abs(wanted).max()
    assert np.abs(head.decision(planes).T.numpy() - wanted).max() <= 1e-4 * scale, "float32 throughout"
    assert np.abs(head.double().decision(planes.double()).T.numpy() - wanted).max() <= 1e-6 * scale


def test_with_every_pixel_a_landmark_the_map_is_the_kernel() -> None:
    """Scores are sums over landmarks: with weight 1 on one landmark they are its kernel."""
    head = KernelMachine(2, 1, landmarks=3, gamma=0.5, alpha=1)
    points = torch.tensor([[0.0, 1.0, 4.0], [0.0, 2.0, 1.0]])
    with torch.no_grad():
        head.scale.fill_(0.5**0.5)
        head.landmarks.copy_((points * 0.5**0.5).T)
        head.weight.copy_(torch.tensor([[0.0, 1.0, 0.0]]))
    distances = torch.tensor([1.0 + 4, 0, 9 + 1])
    assert torch.allclose(head.decision(points)[0], torch.exp(-0.5 * distances), atol=1e-6)


def test_the_kernel_bends_where_a_line_cannot() -> None:
    """A ring around a disc."""
    random = np.random.default_rng(0)
    values = random.normal(size=(3000, 2)).astype(np.float32)
    labels = (np.square(values).sum(1) > 1.4).astype(np.int64)
    data = FittingData(values, labels, np.ones(3000, np.float32))
    right = {}
    for head in (LinearMachine(2, 2, alpha=1e-4), KernelMachine(2, 2, landmarks=60, gamma=0, alpha=1e-5)):
        head.fit(data, seed=0, progress=lambda *_: None)
        right[type(head)] = float((head(torch.from_numpy(values.T)).argmax(0).numpy() == labels).mean())
    assert right[KernelMachine] > 0.97 and right[LinearMachine] < 0.7


def test_sharpness_makes_scores_probabilities() -> None:
    """One feature, labels drawn by a logistic curve: where the machine says 80 %, about 80 % are right."""
    random = np.random.default_rng(0)
    values = random.normal(size=(20_000, 1)).astype(np.float32)
    labels = (random.random(20_000) < 1 / (1 + np.exp(-2 * values[:, 0]))).astype(np.int64)
    head = LinearMachine(1, 2, alpha=1e-4)
    head.fit(FittingData(values, labels, np.ones(20_000, np.float32)), seed=0, progress=lambda *_: None)
    score = head(torch.from_numpy(values.T)).softmax(0).numpy()[1]
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        inside = (score > low) & (score < high)
        assert labels[inside].mean() == pytest.approx(score[inside].mean(), abs=0.05)


def test_a_constant_feature_and_a_class_that_was_not_seen() -> None:
    data = samples(2)
    values = data.features.copy()
    values[:, 0] = 0.1
    labels = np.where(data.labels == 1, 3, 1)
    for head in (LinearMachine(6, 4, alpha=1e-4), KernelMachine(6, 4, landmarks=30, gamma=0, alpha=1e-4)):
        head.fit(FittingData(values, labels, data.weights), seed=0, progress=lambda *_: None)
        logits = head(torch.from_numpy(values.T))
        assert logits.isfinite().all() and set(logits.argmax(0).tolist()) <= {1, 3}
        assert logits.softmax(0)[[0, 2]].max() < 1e-3


def test_weights_move_the_boundary() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    values = (labels + random.normal(size=4000))[:, None].astype(np.float32)
    shares = []
    for weight in (1, 10):
        head = LinearMachine(1, 2, alpha=1e-4)
        weights = np.where(labels, weight, 1).astype(np.float32)
        head.fit(FittingData(values, labels, weights), seed=0, progress=lambda *_: None)
        shares.append(float(head(torch.from_numpy(values.T)).argmax(0).float().mean()))
    assert shares[1] > shares[0] + 0.2


def test_absurd_options() -> None:
    with pytest.raises(ModelError, match=r"svm has no kernel 'rbg'. Did you mean 'rbf'"):
        build("svm", classes=2, kernel="rbg")
    with pytest.raises(ModelError, match="at least one landmark, not 0"):
        build("svm", classes=2, landmarks=0)
    with pytest.raises(ModelError, match=r"alpha is above 0 \(not 0\)"):
        build("svm", classes=2, alpha=0)
    head = KernelMachine(6, 2, landmarks=2001, gamma=0, alpha=1e-4)
    with pytest.raises(DataError, match=r"only 2000 labelled pixels for 2001 landmarks.*model.options.landmarks lower"):
        head.fit(samples(2), seed=0, progress=lambda *_: None)
