"""Random forests: trees as flat arrays, evaluated level by level."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.errors import ModelError, require
from intarsia.models.classical.features import GROUPS, Features
from intarsia.models.classical.model import FLOOR, ClassicalModel, FittingData, Head, Progress
from intarsia.models.contract import ImageModel
from intarsia.models.registry import register

_AT_ONCE = 10  # trees grown between two reports of progress
_BLOCK = 32_768  # pixels whose features stay in the processor's cache, in torch
_MOST_NODES = 2**28  # a gigabyte of thresholds


@register(
    paper="Breiman 2001, Random forests, doi:10.1023/A:1010933404324; on pixels: Shotton et al. 2009, TextonBoost, "
    "doi:10.1007/s11263-007-0109-1, and ilastik, Berg et al. 2019, doi:10.1038/s41592-019-0582-9",
    fitted=True,
)
def random_forest(
    *,
    classes: int,
    in_channels: int = 3,
    scales: Sequence[float] = (1, 2, 4, 8),
    position: bool = True,
    superpixels: int = 0,
    trees: int = 50,
    leaves: int = 2048,
    least_pixels: int = 1,
) -> ImageModel:
    """Random forest on multi-scale features: sound after seconds of fitting, from dense masks or a few scribbles.

    Args:
        classes: number of classes.
        in_channels: 3 for colour, 1 for grey pictures.
        scales: standard deviations in pixels of the Gaussians that features are taken at.
        position: whether the place in the picture is a feature; not where pictures have no up and down.
        superpixels: average features over superpixels of about this many pixels; 0 for none.
        trees: of the forest; more are steadier and slower.
        leaves: most leaves of a tree, grown where they help most.
        least_pixels: fewest fitted pixels in a leaf.
    """
    groups = GROUPS if position else GROUPS[:-1]
    features = Features(in_channels=in_channels, scales=scales, groups=groups)
    head = Forest(classes, trees=trees, leaves=leaves, least_pixels=least_pixels)
    return ClassicalModel(features, head, superpixels=superpixels)


class Forest(Head):
    """Decision trees of which the class shares in their leaves are averaged.

    Nodes are numbered level by level, so that both children of a node are neighbours. A leaf is its own left child and
    sends all pixels there; so every pixel can take the same number of steps.

    Attributes:
        feature: (trees * nodes,) int32, the feature that a node asks for.
        threshold: (trees * nodes,) float32: greater values go to the right.
        left: (trees * nodes,) int32, number of the left child within the tree.
        depth: (trees,) int32.
        shares: (C, trees * leaves) float32, class shares by number of the leaf within the tree.
    """

    feature: Tensor
    left: Tensor
    depth: Tensor

    def __init__(self, classes: int, *, trees: int, leaves: int, least_pixels: int) -> None:
        super().__init__()
        if trees < 1 or leaves < 2 or least_pixels < 1:
            raise ModelError(
                f"a forest has at least one tree (not {trees}) of at least two leaves (not {leaves}) with at least one "
                f"pixel each (not {least_pixels})"
            )
        nodes = trees * (2 * leaves - 1)
        if nodes > _MOST_NODES:
            raise ModelError(f"{trees} trees of {leaves} leaves are too many; lower trees or leaves")
        self._trees, self._leaves, self._least_pixels = trees, leaves, least_pixels
        self.register_buffer("feature", torch.zeros(nodes, dtype=torch.int32))
        self.register_buffer("left", torch.arange(2 * leaves - 1, dtype=torch.int32).repeat(trees))
        self.register_buffer("depth", torch.zeros(trees, dtype=torch.int32))
        self.threshold = nn.Parameter(torch.full((nodes,), torch.inf), requires_grad=False)
        self.shares = nn.Parameter(torch.full((classes, trees * leaves), 1 / classes), requires_grad=False)

    def forward(self, planes: Tensor) -> Tensor:
        if planes.device.type != "cpu" or importlib.util.find_spec("numba") is None:
            if planes.device.type == "cpu":
                warnings.warn(
                    "the random forest runs on PyTorch, which takes about eight times as long as on Numba: "
                    "pip install 'intarsia[classical]'",
                    stacklevel=2,
                )
            return self.in_torch(planes)
        return self.in_numba(planes)

    def in_numba(self, planes: Tensor) -> Tensor:
        """`forward` in compiled loops, on as many threads as torch uses; planes on the CPU."""
        from intarsia.models.classical.compiled import add_shares

        values = planes.contiguous().numpy()
        per_tree = (self._trees, -1)
        unsigned = [t.numpy().view(np.uint32).reshape(per_tree) for t in (self.feature, self.left, self._leaf())]
        shares = self.shares.view(len(self.shares), *per_tree).permute(1, 2, 0).contiguous().numpy()
        total = np.zeros((len(self.shares), values.shape[1]), np.float32)

        def work(start: int, stop: int) -> None:
            threshold = self.threshold.numpy().reshape(per_tree)
            add_shares(values, unsigned[0], threshold, *unsigned[1:], self.depth.numpy(), shares, total, start, stop)

        edges = np.linspace(0, values.shape[1], torch.get_num_threads() + 1).astype(int).tolist()
        with ThreadPoolExecutor(len(edges) - 1) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))
        return self._logarithm(torch.from_numpy(total))

    def in_torch(self, planes: Tensor) -> Tensor:
        """`forward` by gathering, on any device."""
        feature, left, leaf, threshold = (
            t.view(self._trees, -1) for t in (self.feature, self.left, self._leaf(), self.threshold)
        )
        shares = self.shares.view(len(self.shares), self._trees, -1)
        totals = []
        for block in torch.split(planes, _BLOCK, dim=1):
            values, count = block.reshape(-1), block.shape[1]
            pixel = torch.arange(count, device=planes.device)
            total = torch.zeros(len(self.shares), count, device=planes.device)
            for tree, depth in enumerate(self.depth.tolist()):
                node = torch.zeros(count, dtype=torch.int32, device=planes.device)
                for _ in range(depth):
                    value = values.index_select(0, feature[tree].index_select(0, node).long() * count + pixel)
                    node = left[tree].index_select(0, node) + (value > threshold[tree].index_select(0, node))
                total += shares[:, tree].index_select(1, leaf[tree].index_select(0, node))
            totals.append(total)
        return self._logarithm(torch.cat(totals, dim=1))

    def _logarithm(self, total: Tensor) -> Tensor:
        return total.div_(self._trees).clamp_(min=FLOOR).log_()

    def _leaf(self) -> Tensor:
        """(trees * nodes,) int32: the number of each leaf within its tree."""
        left = self.left.view(self._trees, -1)
        is_leaf = left == torch.arange(left.shape[1], device=left.device)
        return (is_leaf.cumsum(1) - 1).clamp_(0, self._leaves - 1).int().view(-1)

    def fit(self, samples: FittingData, *, seed: int, progress: Progress) -> None:
        ensemble: Any = require("sklearn.ensemble", "classical")
        forest = ensemble.RandomForestClassifier(
            n_estimators=0, max_leaf_nodes=self._leaves, min_samples_leaf=self._least_pixels, warm_start=True,
            random_state=seed, n_jobs=torch.get_num_threads(),
        )  # fmt: skip
        for done in range(0, self._trees, _AT_ONCE):
            progress("growing trees", done, self._trees)
            forest.n_estimators = min(done + _AT_ONCE, self._trees)
            forest.fit(samples.features, samples.labels, samples.weights)
        self.take([tree.tree_ for tree in forest.estimators_], forest.classes_.astype(np.int64))

    @torch.no_grad()
    def take(self, trees: Sequence[Any], classes: NDArray[np.int64]) -> None:
        """Take scikit-learn's trees (``estimator.tree_``), as many as this forest has.

        Args:
            trees: grown trees, of at most this forest's leaves.
            classes: for each of their outputs the class.
        """
        feature = np.zeros((self._trees, 2 * self._leaves - 1), np.int32)
        threshold = np.full(feature.shape, np.inf, np.float32)
        left = np.tile(np.arange(feature.shape[1], dtype=np.int32), (self._trees, 1))
        shares = np.zeros((len(self.shares), self._trees, self._leaves), np.float32)
        for number, tree in enumerate(trees):
            order, depth = _by_level(tree.children_left, tree.children_right)
            place = np.empty(len(order), np.int32)
            place[order] = np.arange(len(order), dtype=np.int32)
            children = tree.children_left[order]
            inner = np.flatnonzero(children >= 0)
            left[number, inner] = place[children[inner]]
            feature[number, inner] = tree.feature[order][inner]
            threshold[number, inner] = _rounded_down(tree.threshold[order][inner])
            values = tree.value[order[children < 0], 0]
            shares[classes, number, : len(values)] = (values / values.sum(axis=1, keepdims=True)).T
            self.depth[number] = depth
        self.feature.copy_(torch.from_numpy(feature.ravel()))
        self.threshold.copy_(torch.from_numpy(threshold.ravel()))
        self.left.copy_(torch.from_numpy(left.ravel()))
        self.shares.copy_(torch.from_numpy(shares.reshape(len(shares), -1)))


def _by_level(left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """A tree's nodes from level to level, children side by side, and the number of levels below the root."""
    levels = [np.zeros(1, np.int64)]
    while True:
        inner = levels[-1][left[levels[-1]] >= 0]
        if not len(inner):
            return np.concatenate(levels), len(levels) - 1
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())


def _rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Thresholds that compare with any float32 as the float64 ones do: the greatest float32 not above each."""
    nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > threshold, below, nearest).astype(np.float32)
