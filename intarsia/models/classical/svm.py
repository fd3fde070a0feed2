"""Support vector machines: linear, and with an RBF kernel by the Nystroem approximation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.errors import DataError, ModelError, require, suggest
from intarsia.models.classical.features import GROUPS, Features
from intarsia.models.classical.model import ClassicalModel, FittingData, Head, Progress
from intarsia.models.contract import ImageModel
from intarsia.models.registry import register

KERNELS = ("linear", "rbf")
_BLOCK = 16_384
_ROUNDS = 30
_NEVER = -100.0  # score of a class that was not seen, before scaling: margins are about 1


@register(
    paper="Cortes & Vapnik 1995, Support-vector networks, doi:10.1007/BF00994018; RBF: Williams & Seeger 2001, Using "
    "the Nystroem method to speed up kernel machines, NeurIPS 13",
    fitted=True,
)
def svm(
    *,
    classes: int,
    in_channels: int = 3,
    scales: Sequence[float] = (1, 2, 4, 8),
    position: bool = True,
    superpixels: int = 0,
    kernel: Literal["linear", "rbf"] = "rbf",
    landmarks: int = 300,
    gamma: float = 0.0,
    alpha: float = 1e-5,
) -> ImageModel:
    """Support vector machine on multi-scale features: linear for tiny models, RBF for curved boundaries.

    Args:
        classes: number of classes, one machine against all others for each.
        in_channels: 3 for colour, 1 for grey pictures.
        scales: standard deviations in pixels of the Gaussians that features are taken at.
        position: whether the place in the picture is a feature; not where pictures have no up and down.
        superpixels: average features over superpixels of about this many pixels; 0 for none.
        kernel: linear, or rbf.
        landmarks: pixels that the RBF kernel compares with; more are closer to the exact kernel, and slower.
        gamma: of the RBF kernel exp(-gamma |x - y|^2) of standardised features; 0 is one over their number.
        alpha: strength of the L2 penalty.
    """
    if kernel not in KERNELS:
        raise ModelError(f"svm has no kernel {kernel!r}.{suggest(str(kernel), KERNELS)}")
    if alpha <= 0 or gamma < 0:
        raise ModelError(f"alpha is above 0 (not {alpha}), and gamma at least 0 (not {gamma})")
    groups = GROUPS if position else GROUPS[:-1]
    features = Features(in_channels=in_channels, scales=scales, groups=groups)
    head: Head
    if kernel == "linear":
        head = LinearMachine(len(features), classes, alpha=alpha)
    else:
        head = KernelMachine(len(features), classes, landmarks=landmarks, gamma=gamma, alpha=alpha)
    return ClassicalModel(features, head, superpixels=superpixels)


class LinearMachine(Head):
    """One hyperplane a class; features are standardised, which the weights contain.

    Attributes:
        weight: (C, F).
        bias: (C,).
        sharpness: (1,), the factor by which a softmax of the scores fits the fitted pixels' classes best; margins are
            no probabilities (Platt 1999), and one factor for all classes cannot change the decision.
    """

    def __init__(self, features: int, classes: int, *, alpha: float) -> None:
        super().__init__()
        self._alpha = alpha
        self.weight = _constant(torch.zeros(classes, features))
        self.bias = _constant(torch.zeros(classes))
        self.sharpness = _constant(torch.ones(1))

    def decision(self, planes: Tensor) -> Tensor:
        """Features (F, P) -> scores (C, P), the signed distances that scikit-learn calls the decision function."""
        return torch.addmm(self.bias[:, None], self.weight, planes)

    def forward(self, planes: Tensor) -> Tensor:
        return self.decision(planes).mul_(self.sharpness)

    @torch.no_grad()
    def fit(self, samples: FittingData, *, seed: int, progress: Progress) -> None:
        progress("fitting a linear SVM", 0, 1)
        mean, std = _moments(samples.features)
        weight, bias = _machines((samples.features - mean) / std, samples, len(self.bias), self._alpha, seed)
        weight = weight / std
        self.weight.copy_(torch.from_numpy(weight))
        self.bias.copy_(torch.from_numpy(bias - weight @ mean))
        self.sharpness.fill_(_sharpness(self.decision(torch.from_numpy(samples.features.T)), samples))


class KernelMachine(Head):
    """Scores that are sums of RBF kernels at landmarks, which are some of the fitted pixels.

    Attributes:
        scale: (F,), makes features unit-free: standardised, times the square root of gamma.
        shift: (F,), added then.
        landmarks: (m, F), scaled and shifted.
        weight: (C, m), of the kernels; the Nystroem map's normalisation is contained.
        bias: (C,).
        sharpness: (1,), see `LinearMachine`.
    """

    def __init__(self, features: int, classes: int, *, landmarks: int, gamma: float, alpha: float) -> None:
        super().__init__()
        if landmarks < 1:
            raise ModelError(f"the RBF kernel needs at least one landmark, not {landmarks}")
        self._gamma, self._alpha = gamma or 1 / features, alpha
        self.scale = _constant(torch.ones(features))
        self.shift = _constant(torch.zeros(features))
        self.landmarks = _constant(torch.zeros(landmarks, features))
        self.weight = _constant(torch.zeros(classes, landmarks))
        self.bias = _constant(torch.zeros(classes))
        self.sharpness = _constant(torch.ones(1))

    def decision(self, planes: Tensor) -> Tensor:
        """Features (F, P) -> scores (C, P), the signed distances that scikit-learn calls the decision function."""
        return torch.cat([self._block(block) for block in torch.split(planes, _BLOCK, dim=1)], dim=1)

    def _block(self, planes: Tensor) -> Tensor:
        x = planes * self.scale[:, None] + self.shift[:, None]
        squares = x.square().sum(0) + self.landmarks.square().sum(1)[:, None]
        distances = torch.addmm(squares, self.landmarks, x, alpha=-2)
        kernels = distances.clamp_(min=0).neg_().exp_()
        return torch.addmm(self.bias[:, None], self.weight, kernels)

    def forward(self, planes: Tensor) -> Tensor:
        return self.decision(planes).mul_(self.sharpness)

    @torch.no_grad()
    def fit(self, samples: FittingData, *, seed: int, progress: Progress) -> None:
        approximation: Any = require("sklearn.kernel_approximation", "classical")
        count = len(self.landmarks)
        if len(samples.features) < count:
            raise DataError(
                f"there are only {len(samples.features)} labelled pixels for {count} landmarks: label more, or set "
                "model.options.landmarks lower"
            )
        mean, std = _moments(samples.features)
        nystroem = approximation.Nystroem(gamma=self._gamma, n_components=count, random_state=seed)
        progress("mapping pixels to the kernel", 0, 2)
        mapped = nystroem.fit_transform(((samples.features - mean) / std).astype(np.float32))
        progress("fitting an RBF SVM", 1, 2)
        weight, bias = _machines(mapped, samples, len(self.bias), self._alpha, seed)
        root = np.sqrt(self._gamma)
        self.scale.copy_(torch.from_numpy(root / std))
        self.shift.copy_(torch.from_numpy(-root * mean / std))
        self.landmarks.copy_(torch.from_numpy(root * nystroem.components_))
        self.weight.copy_(torch.from_numpy(weight @ nystroem.normalization_))
        self.bias.copy_(torch.from_numpy(bias))
        self.sharpness.fill_(_sharpness(self.decision(torch.from_numpy(samples.features.T)), samples))


def _constant(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)


def _moments(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (F,) of each feature; 1 for a constant one."""
    mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    # What rounding leaves of a constant feature is no deviation.
    return mean, np.where(std > 1e-6 * (np.abs(mean) + 1), std, 1.0)


def _machines(
    features: NDArray[Any], samples: FittingData, classes: int, alpha: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (C, F) and biases (C,) of one linear machine a class, by averaged stochastic subgradients of the hinge.

    Shalev-Shwartz et al. 2011, Pegasos, doi:10.1007/s10107-010-0420-4.
    """
    linear: Any = require("sklearn.linear_model", "classical")
    machine = linear.SGDClassifier(
        loss="hinge", alpha=alpha, average=True, max_iter=_ROUNDS, random_state=seed, n_jobs=torch.get_num_threads()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rounds end after `_ROUNDS` at the latest: no failure
        machine.fit(features, samples.labels, sample_weight=samples.weights)
    weight, bias = np.zeros((classes, features.shape[1])), np.full(classes, _NEVER)
    two = len(machine.classes_) == 2  # one machine separates them
    weight[machine.classes_] = np.concatenate([-machine.coef_, machine.coef_]) if two else machine.coef_
    bias[machine.classes_] = np.concatenate([-machine.intercept_, machine.intercept_]) if two else machine.intercept_
    return weight, bias


def _sharpness(decision: Tensor, samples: FittingData) -> float:
    """The factor of the scores (C, n) at which softmax gives the labels the highest likelihood."""
    labels, weights = torch.from_numpy(samples.labels), torch.from_numpy(samples.weights)
    factors = np.geomspace(0.05, 50, 49)
    losses = [
        float((nn.functional.cross_entropy(decision.T * factor, labels, reduction="none") * weights).sum())
        for factor in factors
    ]
    return float(factors[int(np.argmin(losses))])
