"""Unary and pairwise terms from arrays; names, arguments and results as in ``pydensecrf.utils``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arrays import as_array
from intarsia.compat.pydensecrf.errors import value_errors
from intarsia.errors import DataError, UsageError
from intarsia.refine import positions

Floats = NDArray[np.float32]


@value_errors
def unary_from_labels(labels: NDArray[Any], n_labels: int, gt_prob: float, zero_unsure: bool = True) -> Floats:
    """Energies of labels that are right with a certain probability.

    Args:
        labels: integers of any shape.
        n_labels: number of classes; with `zero_unsure`, 0 is not one of them.
        gt_prob: how certain the labels are, above 0 and below 1.
        zero_unsure: 0 means not known, and the classes start at 1.

    Returns:
        (n_labels, N) unary energies.

    Raises:
        UsageError: `gt_prob` is out of range, or there is no class.
        DataError: a label is no class, or no whole number.
    """
    if not 0 < gt_prob < 1:
        raise UsageError(f"gt_prob lies between 0 and 1, not at {gt_prob}")
    if n_labels < 1:
        raise UsageError(f"n_labels is the number of classes, at least 1, not {n_labels}")
    flat = as_array(labels, "labels").ravel()
    if not np.array_equal(flat, flat.astype(np.int64)):
        raise DataError("labels are whole numbers; take the argmax of scores first")
    classes = flat.astype(np.int64) - int(zero_unsure)
    known = classes >= 0 if zero_unsure else np.ones(len(flat), bool)
    if ((classes < 0) & known).any() or (classes >= n_labels).any():
        raise DataError(f"labels hold values that are none of the {n_labels} classes")
    others = (1 - gt_prob) / max(n_labels - 1, 1)
    probs = np.full((n_labels, len(flat)), others, np.float32)
    probs[classes[known], np.flatnonzero(known)] = gt_prob
    probs[:, ~known] = 1 / n_labels
    return -np.log(probs)


@value_errors
def unary_from_softmax(sm: NDArray[Any], scale: float | None = None, clip: float | None = 1e-5) -> Floats:
    """Energies of probabilities.

    Args:
        sm: (C, ...) probabilities.
        scale: how certain they are at most, above 0 and up to 1: they are mixed with the uniform distribution.
        clip: the smallest probability; None for none, so that a class of probability 0 is ruled out (infinite energy).

    Returns:
        (C, N) unary energies.

    Raises:
        UsageError: `scale` is out of range.
    """
    probs = as_array(sm, "probabilities")
    probs = probs.reshape(len(probs), -1)
    if scale is not None:
        if not 0 < scale <= 1:
            raise UsageError(f"scale lies above 0 and up to 1, not at {scale}")
        probs = scale * probs + (1 - scale) / len(probs)
    if clip is not None:
        probs = np.clip(probs, clip, 1)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(probs), dtype=np.float32)


def compute_unary(labels: NDArray[Any], M: int, GT_PROB: float = 0.5) -> Floats:
    """`unary_from_labels` under its first name, with 0 for "not known"."""
    warnings.warn("compute_unary is the old name of unary_from_labels", DeprecationWarning, stacklevel=2)
    return unary_from_labels(labels, M, GT_PROB)


def softmax_to_unary(sm: NDArray[Any], GT_PROB: float = 1) -> Floats:
    """`unary_from_softmax` under its first name: without a smallest probability, `GT_PROB` being the scale."""
    warnings.warn("softmax_to_unary is the old name of unary_from_softmax", DeprecationWarning, stacklevel=2)
    return unary_from_softmax(sm, None if GT_PROB == 1 else GT_PROB, clip=None)


@value_errors
def create_pairwise_gaussian(sdims: Sequence[float], shape: Sequence[int]) -> Floats:
    """Features of elements on a grid that compare positions: (dimensions, N).

    Args:
        sdims: standard deviation along each axis.
        shape: of the grid.
    """
    if len(sdims) != len(shape):
        raise UsageError(f"sdims is a standard deviation for each of the {len(shape)} axes, but there are {len(sdims)}")
    mesh: Floats = positions(*shape).reshape(len(sdims), -1)
    mesh /= np.asarray(sdims, np.float32)[:, None]
    return mesh


@value_errors
def create_pairwise_bilateral(
    sdims: Sequence[float], schan: float | Sequence[float], img: NDArray[Any], chdim: int = -1
) -> Floats:
    """Features of pixels that compare positions and values: (dimensions + channels, N).

    Args:
        sdims: standard deviation along each axis of the picture.
        schan: of the values, one number or one a channel.
        img: the picture.
        chdim: its channel axis; -1: it has none.
    """
    channels = img[None] if chdim == -1 else np.moveaxis(img, chdim, 0)
    widths = np.asarray(schan, np.float32).reshape(-1, 1)
    if len(widths) not in (1, len(channels)):
        raise UsageError(
            f"schan is one number or one for each of the {len(channels)} channels, but there are {len(widths)}"
        )
    values = channels.reshape(len(channels), -1).astype(np.float32) / widths
    return np.concatenate([create_pairwise_gaussian(sdims, channels.shape[1:]), values])
