"""K-means: pixels of similar colour, texture and place belong together, with or without labels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.errors import DataError, ModelError
from intarsia.models.classical.features import Features
from intarsia.models.classical.model import FLOOR, UNLABELLED, ClassicalModel, FittingData, Head, Progress
from intarsia.models.contract import ImageModel
from intarsia.models.registry import register

_ATTEMPTS, _ROUNDS, _STILL = 3, 100, 1e-4
_BLOCK = 65_536


@register(
    paper="MacQueen 1967, Some methods for classification and analysis of multivariate observations; Lloyd 1982, "
    "doi:10.1109/TIT.1982.1056489; started by k-means++, Arthur & Vassilvitskii 2007",
    fitted=True,
)
def kmeans(
    *,
    classes: int,
    in_channels: int = 3,
    scales: Sequence[float] = (2, 4),
    clusters: int = 0,
    colour: float = 1.0,
    texture: float = 0.5,
    position: float = 0.5,
    superpixels: int = 0,
) -> ImageModel:
    """K-means of colour, texture and position: needs no labels; where there are some, each cluster takes a class.

    Args:
        classes: number of classes; without labels each cluster is one.
        in_channels: 3 for colour, 1 for grey pictures.
        scales: standard deviations in pixels of the Gaussians that colour and texture are taken at.
        clusters: number of clusters; 0 is as many as classes. Several may share a class.
        colour: weight of colour: how far apart clusters lie along it.
        texture: weight of texture; 0 leaves it out.
        position: weight of the place in the picture; 0 leaves it out.
        superpixels: average features over superpixels of about this many pixels; 0 for none.
    """
    weights = {"colour": colour, "texture": texture, "position": position}
    if min(weights.values()) < 0 or not any(weights.values()):
        raise ModelError("the weights of colour, texture and position are at least 0, and one of them is above 0")
    if clusters < 0:
        raise ModelError(f"clusters is at least 1, or 0 for as many as classes, not {clusters}")
    chosen = [name for name, weight in weights.items() if weight]
    features = Features(in_channels=in_channels, scales=scales, groups=chosen)
    head = Clusters([(name, weights[name]) for name in features.groups], classes, clusters or classes)
    return ClassicalModel(features, head, superpixels=superpixels)


class Clusters(Head):
    """A pixel belongs to the nearest centre, and takes that cluster's class.

    With labels, each cluster gets the class shares of its labelled pixels, of which the largest decides: the majority,
    not a one-to-one matching, because it lets several clusters share a class and is never less right on the pixels it
    was fitted to. Without labels each cluster is a class of its own, the largest first.

    Args:
        groups: for each feature the name of its group, and the group's weight.
        classes: number of classes.
        clusters: number of clusters.

    Attributes:
        scale: (F,), by which features are multiplied before distances are taken.
        centres: (k, F), scaled.
        shares: (C, k), log-probabilities of the classes.
    """

    needs_labels = False

    def __init__(self, groups: Sequence[tuple[str, float]], classes: int, clusters: int) -> None:
        super().__init__()
        self._groups = groups
        self.scale = nn.Parameter(torch.ones(len(groups)), requires_grad=False)
        self.centres = nn.Parameter(torch.zeros(clusters, len(groups)), requires_grad=False)
        self.shares = nn.Parameter(torch.zeros(classes, clusters), requires_grad=False)

    def nearest(self, planes: Tensor) -> Tensor:
        """Features (F, P) -> numbers (P,) of the nearest centres."""
        return torch.cat([self._block(block) for block in torch.split(planes, _BLOCK, dim=1)])

    def _block(self, planes: Tensor) -> Tensor:
        x = planes * self.scale[:, None]
        # The pixel's own square is the same for all centres.
        return torch.addmm(self.centres.square().sum(1)[:, None], self.centres, x, alpha=-2).argmin(0)

    def forward(self, planes: Tensor) -> Tensor:
        return self.shares.index_select(1, self.nearest(planes))

    @torch.no_grad()
    def fit(self, samples: FittingData, *, seed: int, progress: Progress) -> None:
        count = len(self.centres)
        if len(samples.features) < count:
            raise DataError(
                f"{len(samples.features)} pixels cannot form {count} clusters; ask for fewer (clusters), or give "
                "larger pictures"
            )
        progress("finding clusters", 0, 1)
        scale = self._scales(samples.features)
        scaled = np.ascontiguousarray(samples.features * scale)
        cv2.setRNGSeed(seed)
        criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, _ROUNDS, _STILL)
        initial: NDArray[np.int32] = np.zeros((len(scaled), 1), np.int32)
        _, numbers, centres = cv2.kmeans(scaled, count, initial, criteria, _ATTEMPTS, cv2.KMEANS_PP_CENTERS)
        sizes = np.bincount(np.asarray(numbers).ravel(), minlength=count)
        self.scale.copy_(torch.from_numpy(scale))
        self.centres.copy_(torch.from_numpy(np.asarray(centres)[np.argsort(-sizes, kind="stable")]))
        self.shares.copy_(torch.from_numpy(self._shares(samples)))

    def _scales(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Factors that give each group the variance (weight^2), whatever its number of features.

        Features of a group keep their proportions: CIE L*a*b* is made for distances, and the colours of a nearly grey
        picture shall not weigh as much as its brightness.
        """
        variance = features.var(axis=0, dtype=np.float64)
        names = np.array([name for name, _ in self._groups])
        weights = np.array([weight for _, weight in self._groups])
        totals = np.array([variance[names == name].sum() for name in names])
        flat = totals <= 1e-12
        return np.where(flat, 0.0, weights / np.sqrt(np.where(flat, 1.0, totals))).astype(np.float32)

    def _shares(self, samples: FittingData) -> NDArray[np.float32]:
        classes, count = self.shares.shape
        known = samples.labels != UNLABELLED
        if not known.any():
            if classes != count:
                raise DataError(
                    "no pixel is labelled, so that clusters cannot take classes; to cluster pictures without labels: "
                    "intarsia segment PHOTO -m kmeans"
                )
            return np.log(np.clip(np.eye(classes), FLOOR, None)).astype(np.float32)
        numbers = self.nearest(torch.from_numpy(samples.features[known].T)).numpy()
        cells = samples.labels[known] * count + numbers
        counts = np.bincount(cells, samples.weights[known], classes * count).reshape(classes, count)
        # A cluster without a labelled pixel takes the classes of all.
        counts += FLOOR + 1e-3 * counts.sum(axis=1, keepdims=True) / counts.sum()
        return np.asarray(np.log(counts / counts.sum(axis=0)), dtype=np.float32)
