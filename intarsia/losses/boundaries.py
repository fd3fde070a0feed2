"""Losses that measure how far from a boundary the errors are. They need a grid, and distances are in pixels.

All of them take the softmax and average over the valid elements of each sample and the classes that its target holds.
Ignored elements, and what lies outside the picture, are neither of a class nor not of it: no distance is measured to
them, and they take no part in a neighbourhood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor

from intarsia.errors import UsageError
from intarsia.losses.base import ClassLoss, ClassOptions, check_option, check_options, register_loss
from intarsia.losses.distances import between, class_distances
from intarsia.losses.sums import masked_softmax, ratio, sum_of_blocks


@dataclass(frozen=True)
class _Rows:
    """One row for each class of each sample's target.

    Args:
        p: (R, *S) probability of the row's class, 0 where ignored.
        own: (R, *S) whether the element is of the row's class.
        valid: (R, *S) whether it is labelled.
        logits: (N, C, *S) that the probabilities are of.
        sample: (R,) the row's sample.
        classes: (R,) the row's class.
    """

    p: Tensor
    own: Tensor
    valid: Tensor
    logits: Tensor
    sample: Tensor
    classes: Tensor

    def predicted(self, threshold: float | None) -> Tensor:
        """(R, *S) where a row's class is predicted: where it is the likeliest, or above a probability."""
        if threshold is not None:
            return self.p > threshold
        likeliest = self.logits.argmax(1).int()[self.sample]
        return (likeliest == _beside(self.classes, likeliest)) & self.valid

    def mean(self, total: Tensor) -> Tensor:
        """A sum over all rows, divided by their valid elements."""
        return ratio(total, self.valid.sum().to(total.dtype))


class GridLoss(ClassLoss):
    """Base of the losses that look at each class of each sample on the grid."""

    needs_grid = True

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        classes = logits.shape[1]
        self.chosen(classes)
        valid = target != self.ignore_index
        sample = torch.arange(len(target), device=target.device).repeat_interleave(maps["count"])
        p = masked_softmax(logits, valid).flatten(0, 1).index_select(0, sample * classes + maps["classes"])
        own = target[sample] == _beside(maps["classes"], target)
        return self.compare(_Rows(p, own, valid[sample], logits, sample, maps["classes"]), maps)

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        classes = self.present(labels)
        return {"classes": classes, "count": torch.tensor([len(classes)], device=classes.device)}

    def present(self, labels: Tensor) -> Tensor:
        """(K,) the classes of one sample that take part."""
        classes: Tensor = torch.unique(labels[labels != self.ignore_index])
        if self.classes is None:
            return classes
        return classes[torch.isin(classes, torch.tensor(self.classes, device=classes.device))]

    def compare(self, rows: _Rows, maps: Mapping[str, Tensor]) -> Tensor:
        """The loss of the rows that belong to the maps' classes."""
        raise NotImplementedError


def _beside(classes: Tensor, like: Tensor) -> Tensor:
    """(R,) as (R, 1, ...), with as many axes as `like` has."""
    return classes.reshape((-1,) + (1,) * (like.ndim - 1))


@register_loss("boundary")
class Boundary(GridLoss):
    """Boundary loss (Kervadec et al. 2019, arXiv:1812.07032, equation 5): probability times signed distance.

    The mean of p d, d being the distance to the class outside of it and, inside, minus the distance to the rest, less
    1. It is negative for good predictions, and large beside other losses: add it to a region loss with a weight that
    rises slowly, in the paper from 0.01 by 0.01 an epoch.

    Args:
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        return class_distances(labels, self.present(labels), self.ignore_index, signed=True)

    def compare(self, rows: _Rows, maps: Mapping[str, Tensor]) -> Tensor:
        return rows.mean((rows.p * maps["distance"]).sum())


@register_loss("hausdorff_dt")
class HausdorffDT(GridLoss):
    """Hausdorff loss by distance transforms (Karimi & Salcudean 2019, arXiv:1904.10030).

    The mean of (p - t)^2 (d_t^alpha + d_p^alpha): the squared error weighted by the distance to the boundary of the
    class in the target, and in the prediction. Distances have no gradient.

    Args:
        alpha: exponent of the distances, above 0.
        one_sided: leave out d_p, which costs distance transforms in every step; d_t is prepared by the data workers.
        threshold: a class is predicted where its probability is above this; None where it is the likeliest, so that
            every element is of some class. The paper's two classes are the same at 0.5.
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    def __init__(
        self,
        *,
        alpha: float = 2.0,
        one_sided: bool = False,
        threshold: float | None = None,
        **shared: Unpack[ClassOptions],
    ) -> None:
        super().__init__(**shared)
        check_option("alpha", alpha, 0, above=True)
        if threshold is not None:
            check_option("threshold", threshold, 0, 1)
        self.alpha = alpha
        self.one_sided = one_sided
        self.threshold = threshold

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        return class_distances(labels, self.present(labels), self.ignore_index, signed=False)

    def compare(self, rows: _Rows, maps: Mapping[str, Tensor]) -> Tensor:
        distances = [maps["distance"]]
        if not self.one_sided:
            distances.append(_predicted_distance(rows, self.threshold))
        return rows.mean(sum_of_blocks(self._block, rows.p, rows.own, *distances))

    def _block(self, p: Tensor, own: Tensor, *distances: Tensor) -> Tensor:
        weight = torch.stack([distance**self.alpha for distance in distances]).sum(0)
        return ((p - own.to(p.dtype)) ** 2 * weight).sum()


def _predicted_distance(rows: _Rows, threshold: float | None) -> Tensor:
    """(R, *S) distance of valid elements to the boundary of what is predicted."""
    region, valid = rows.predicted(threshold).numpy(force=True), rows.valid.numpy(force=True)
    distance = torch.zeros(rows.p.shape)
    for index in range(len(region)):
        outer, inner = between(region[index], valid[index] & ~region[index])
        distance[index] = torch.from_numpy(outer + inner)
    return distance.to(rows.p.device) * rows.valid


@register_loss("hausdorff_er")
class HausdorffER(GridLoss):
    """Hausdorff loss by erosion of the errors (Karimi & Salcudean 2019, arXiv:1904.10030).

    Errors that survive k erosions are at least k pixels thick: the mean of sum over k = 1..erosions of k^alpha E_k,
    with E_0 = (p - t)^2 and E_k = (B E_(k-1))^2, where B takes the mean over an element and its direct neighbours.

    The paper subtracts 0.5 from B E and cuts below 0, instead of squaring. That has an exactly zero gradient wherever
    errors are below 0.5, as those of an untrained network are, and leaves nothing to erode after the first time. The
    square is its smooth relative: x^2 touches the rescaled 2 x - 1 at 1, where an error stays what it is.

    Args:
        alpha: exponent of the number of erosions, at least 0.
        erosions: how often errors are eroded, at least 1.
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    def __init__(self, *, alpha: float = 2.0, erosions: int = 10, **shared: Unpack[ClassOptions]) -> None:
        super().__init__(**shared)
        check_option("alpha", alpha, 0)
        check_option("erosions", erosions, 1)
        if erosions != int(erosions):
            raise UsageError(f"loss option erosions must be a whole number, not {erosions!r}")
        self.alpha = alpha
        self.erosions = int(erosions)

    def compare(self, rows: _Rows, maps: Mapping[str, Tensor]) -> Tensor:
        return rows.mean(sum_of_blocks(self._block, rows.p, rows.own, rows.valid))

    def _block(self, p: Tensor, own: Tensor, valid: Tensor) -> Tensor:
        known = valid.to(p.dtype)
        neighbours = _cross_sum(known).clamp(min=1)
        error = (p - own.to(p.dtype)) ** 2 * known
        total = p.new_zeros(())
        for step in range(1, self.erosions + 1):
            error = (_cross_sum(error) / neighbours) ** 2 * known
            total = total + step**self.alpha * error.sum()
        return total


class _CrossSum(torch.autograd.Function):
    """(R, *S) -> sum over each element and its direct neighbours along every axis, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        for axis in range(1, x.ndim):
            steps = x.shape[axis] - 1
            total.narrow(axis, 1, steps).add_(x.narrow(axis, 0, steps))
            total.narrow(axis, 0, steps).add_(x.narrow(axis, 1, steps))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _cross_sum(grads[0])


def _cross_sum(x: Tensor) -> Tensor:
    total: Tensor = _CrossSum.apply(x)
    return total


@register_loss("hausdorff_cv")
class HausdorffCV(GridLoss):
    """Hausdorff loss by convolution with discs (Karimi & Salcudean 2019, arXiv:1904.10030).

    For every radius r, the share of the disc around an element that lies in a region shows whether the element is at
    least r deep in it: h(x) = max(2 x - 1, 0) of the share x is 0 on a straight boundary and 1 at depth r. The loss is
    the mean of sum over r of r^alpha [(h(B_r t) + h(1 - B_r p)) (p - t)^2 t + (h(B_r p) + h(1 - B_r t)) (p - t)^2 p]:
    misses deep in the target or far from the prediction, and false alarms deep in the prediction or far from the
    target.

    Args:
        alpha: exponent of the radius, at least 0.
        radii: of the discs (balls in volumes), in pixels, each above 0.
        shared: `classes` and `ignore_index`, see `ClassLoss`.
    """

    def __init__(
        self, *, alpha: float = 2.0, radii: Sequence[float] = (3, 6, 9, 12, 15, 18), **shared: Unpack[ClassOptions]
    ) -> None:
        super().__init__(**shared)
        check_option("alpha", alpha, 0)
        check_options("radii", radii, above=True)
        if not radii:
            raise UsageError("loss option radii must name at least one radius")
        self.alpha = alpha
        self.radii = tuple(radii)

    def compare(self, rows: _Rows, maps: Mapping[str, Tensor]) -> Tensor:
        discs = _Discs(rows.p, self.radii)
        total = sum_of_blocks(
            lambda p, own, valid: self._block(p, own.to(p.dtype), valid.to(p.dtype), discs),
            rows.p,
            rows.own,
            rows.valid,
        )
        return rows.mean(total)

    def _block(self, p: Tensor, t: Tensor, known: Tensor, discs: _Discs) -> Tensor:
        error = (p - t) ** 2 * known
        missed, false = error * t, error * p
        total = p.new_zeros(())
        for radius, area, p_sum, t_sum in zip(self.radii, *map(discs.sums, (known, p, t)), strict=True):
            area = area.round().clamp(min=1)
            p_share, t_share = p_sum / area, t_sum / area
            total = total + radius**self.alpha * (
                ((_depth(t_share) + _depth(1 - p_share)) * missed).sum()
                + ((_depth(p_share) + _depth(1 - t_share)) * false).sum()
            )
        return total


def _depth(share: Tensor) -> Tensor:
    return (2 * share - 1).clamp(min=0)


class _Discs:
    """Sums over the discs around every element, by Fourier transforms.

    Args:
        like: (R, *S), what is to be summed.
        radii: of the discs.
    """

    def __init__(self, like: Tensor, radii: Sequence[float]) -> None:
        self.size = tuple(like.shape[1:])
        self.axes = tuple(range(-len(self.size), 0))
        # Room for the largest disc, so that opposite borders do not meet; multiples of 32 transform fastest.
        self.padded = tuple(32 * math.ceil((length + max(radii)) / 32) for length in self.size)
        squares = torch.zeros(self.padded, device=like.device)
        for axis, length in zip(self.axes, self.padded, strict=True):
            place = torch.arange(length, device=like.device)
            away = torch.minimum(place, length - place).square()
            squares += away.reshape(-1, *[1] * (-1 - axis))
        self.spectra = [torch.fft.rfftn((squares <= radius**2).to(like.dtype)) for radius in radii]

    def sums(self, x: Tensor) -> list[Tensor]:
        """For each radius, the sums over the discs around every element of (R, *S)."""
        spectrum = torch.fft.rfftn(x, self.padded, self.axes)
        inner = (..., *[slice(length) for length in self.size])
        return [torch.fft.irfftn(spectrum * disc, self.padded, self.axes)[inner] for disc in self.spectra]
