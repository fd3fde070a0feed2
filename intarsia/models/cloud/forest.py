"""A random forest on the features of single points, stored as arrays: the baseline that networks have to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intarsia.errors import ModelError, require
from intarsia.models.cloud.layers import CloudModel
from intarsia.models.registry import register

_LEAST = 1e-6


class PointForest(CloudModel):
    """Trees as flat tables: for each node the feature, the threshold, its two children, and class shares.

    Leaves point to themselves, so that every point takes the same number of steps.
    """

    feature: Tensor
    threshold: Tensor
    child: Tensor
    shares: Tensor

    def __init__(self, classes: int, in_channels: int, trees: int, depth: int, nodes: int, balanced: bool) -> None:
        super().__init__()
        self.classes, self.trees, self.depth, self.balanced = classes, trees, depth, balanced
        self.width = in_channels - 3
        self.resize(nodes)

    def resize(self, nodes: int) -> None:
        """Make room for trees of up to `nodes` nodes; all of them are forgotten."""
        self.register_buffer("feature", torch.zeros(self.trees, nodes, dtype=torch.int16))
        self.register_buffer("threshold", torch.zeros(self.trees, nodes))
        self.register_buffer("child", torch.zeros(self.trees, nodes, 2, dtype=torch.int32))
        self.register_buffer("shares", torch.full((self.trees, nodes, self.classes), 1 / self.classes))

    def fit(self, features: NDArray[np.float32], target: NDArray[np.integer], *, seed: int) -> dict[str, int]:
        """Grow the trees (Breiman 2001) with scikit-learn.

        Args:
            features: (N, in_channels - 3), without coordinates.
            target: (N,) class indices.
            seed: of the randomness.

        Returns:
            The options that a model needs to hold these trees.

        Raises:
            ModelError: there is no feature to decide by.
        """
        if features.shape[1] != self.width or not self.width:
            raise ModelError("point_forest decides by features alone, and needs at least one; set cloud.features")
        ensemble = require("sklearn.ensemble", "classical")
        forest = ensemble.RandomForestClassifier(
            self.trees,
            max_depth=self.depth,
            class_weight="balanced_subsample" if self.balanced else None,
            n_jobs=torch.get_num_threads(),
            random_state=seed,
        ).fit(features, target)
        nodes = max(tree.tree_.node_count for tree in forest.estimators_)
        self.resize(nodes)
        for number, estimator in enumerate(forest.estimators_):
            self._store(number, estimator.tree_, forest.classes_.tolist())
        return {"nodes": nodes}

    def _store(self, number: int, tree: object, present: Sequence[int]) -> None:
        left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
        count = len(left)
        own = np.arange(count)
        leaf = left < 0
        both = np.stack([np.where(leaf, own, left), np.where(leaf, own, right)], axis=1)
        shares = tree.value[:, 0]  # type: ignore[attr-defined]
        shares = shares / shares.sum(axis=1, keepdims=True)
        self.feature[number, :count] = torch.from_numpy(np.where(leaf, 0, tree.feature).astype(np.int16))  # type: ignore[attr-defined]
        self.threshold[number, :count] = torch.from_numpy(tree.threshold.astype(np.float32))  # type: ignore[attr-defined]
        self.child[number, :count] = torch.from_numpy(both.astype(np.int32))
        self.shares[number, :count] = 0
        self.shares[number, :count, present] = torch.from_numpy(shares.astype(np.float32))

    def points(self, rows: Tensor) -> Tensor:
        features = rows[..., 3:].reshape(-1, self.width)
        total = torch.zeros(len(features), self.classes)
        for tree in range(self.trees):
            place = torch.zeros(len(features), dtype=torch.long)
            for _ in range(self.depth):
                value = features.gather(1, self.feature[tree, place].long()[:, None])[:, 0]
                side = (value > self.threshold[tree, place]).long()
                place = self.child[tree, place, side].long()
            total += self.shares[tree, place]
        # The logarithm of a probability is a logit of it.
        return (total / self.trees).clamp_(min=_LEAST).log_().view(*rows.shape[:2], -1)


@register(paper="Breiman 2001, Machine Learning 45", medium="cloud", fitted=True)
def point_forest(
    *, classes: int, in_channels: int = 4, trees: int = 60, depth: int = 16, nodes: int = 1, balanced: bool = True
) -> PointForest:
    """A random forest on each point's features (not its coordinates): the baseline for networks of points.

    Args:
        classes: number of classes.
        in_channels: x, y, z, which it does not look at, and features.
        trees: how many.
        depth: of a tree, at most.
        nodes: of the largest tree; set by the training.
        balanced: weigh classes by the inverse of their frequency.
    """
    if in_channels < 4 or trees < 1 or depth < 1 or nodes < 1:
        raise ModelError("point_forest: in_channels is at least 4; trees, depth and nodes at least 1")
    return PointForest(classes, in_channels, trees, depth, nodes, balanced)
