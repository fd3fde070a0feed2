"""What every metric asks of its input: integer labels, equal shapes, probabilities, a grid, a spacing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.arrays import as_array
from intarsia.errors import DataError, UsageError

Labels = NDArray[Any]
Floats = NDArray[np.float64]

# The largest rounding error of a sum of bfloat16 probabilities is 2 ** -8.
_SUM_TOLERANCE = 1e-2


def label_pair(prediction: ArrayLike, target: ArrayLike) -> tuple[Labels, Labels]:
    """Both label maps as integer arrays of one shape.

    Raises:
        DataError: the shapes differ, or the labels are no integers.
    """
    predicted, truth = _integers(prediction), _integers(target)
    if predicted.shape != truth.shape:
        raise DataError(f"prediction {predicted.shape} and target {truth.shape} differ in shape")
    return predicted, truth


def _integers(labels: ArrayLike) -> Labels:
    array = as_array(labels, "labels")
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype.kind not in "iu":
        raise DataError(f"labels are integers, not {array.dtype}; take the argmax of scores first")
    return array


def as_mask(values: ArrayLike) -> NDArray[np.bool_]:
    """A mask of one object: booleans, integers (0 is outside), or numbers 0 and 1 of any type.

    Raises:
        DataError: floating-point numbers other than 0 and 1, or several integers besides 0, of which one may be void.
    """
    array = as_array(values, "masks")
    if array.dtype.kind not in "biu" and not ((array == 0) | (array == 1)).all():
        raise DataError(
            f"a mask holds 0 and 1, and this one other numbers ({array.dtype}); compare scores with 0.5 first"
        )
    inside = np.asarray(array != 0)
    if array.dtype.kind in "iu" and inside.any():
        found = array[inside]
        if found.min() != found.max():
            raise DataError(
                f"a mask of one object holds 0 and another number, and this one {found.min()} to {found.max()} besides "
                "0; say which is meant: labels == 1"
            )
    return inside


def check_target(truth: Labels, classes: int, ignore_index: int) -> None:
    """Check that a target holds nothing but classes and `ignore_index`.

    Raises:
        DataError: it holds another label; the message lists those that it holds.
    """
    outside = truth != ignore_index
    outside &= (truth < 0) | (truth >= classes)
    if outside.any():
        raise DataError(wrong_labels(np.unique(truth[outside]), classes, ignore_index))


def wrong_labels(found: Labels, classes: int, ignore_index: int) -> str:
    """Say what is wrong with a target that holds the labels `found`."""
    return (
        f"target holds labels that are neither a class (0..{classes - 1}) nor ignore_index {ignore_index}: "
        f"{', '.join(str(label) for label in found[:10])}"
    )


def check_classes(classes: int, ignore_index: int) -> None:
    """Check the arguments that every metric has.

    Raises:
        UsageError: there is no class, `ignore_index` is one, or they are no whole numbers.
    """
    if not (isinstance(classes, Integral) and isinstance(ignore_index, Integral)):
        raise UsageError(f"classes and ignore_index are whole numbers, not {classes!r} and {ignore_index!r}")
    if classes < 1 or ignore_index < classes:
        raise UsageError(f"ignore_index {ignore_index} must lie above the {classes} class indices")


def check_same(one: tuple[Any, ...], other: tuple[Any, ...], what: str) -> None:
    """Check that two metrics that are to be merged were made with the same arguments.

    Raises:
        UsageError: they were not.
    """
    if one != other:
        raise UsageError(f"only {what} of the same classes and settings can be merged")


def probability_planes(probabilities: ArrayLike, target: ArrayLike, classes: int) -> tuple[NDArray[Any], Labels]:
    """Probabilities (N, C, *S) as (N, C, elements), and their target (N, *S) as (N, elements).

    Raises:
        DataError: the shapes do not belong together, the labels are no integers, or the numbers are no probabilities.
    """
    scores, truth = as_array(probabilities, "probabilities"), _integers(target)
    if scores.dtype.kind != "f":
        raise DataError(f"probabilities are floating-point numbers, not {scores.dtype}")
    if scores.ndim < 2 or scores.shape[1] != classes:
        raise DataError(f"probabilities are (N, {classes}, ...) for {classes} classes, these are {scores.shape}")
    if truth.shape != (scores.shape[0], *scores.shape[2:]):
        raise DataError(
            f"target {truth.shape} does not fit probabilities {scores.shape}: expected (N, ...) for (N, C, ...)"
        )
    scores = scores.reshape(*scores.shape[:2], -1)
    if scores.size:
        _check_probabilities(scores)
    return scores, truth.reshape(len(truth), -1)


def _check_probabilities(scores: NDArray[Any]) -> None:
    sums = scores.sum(axis=1, dtype=np.float32)
    # Written so that NaN fails it too.
    if (np.abs(sums - 1) <= _SUM_TOLERANCE).all() and scores.min() >= 0:
        return
    if np.isnan(sums).any():
        raise DataError("the probabilities hold NaN; look for a division by zero or an overflow in the model")
    if scores.min() < 0 or scores.max() > 1:
        raise DataError(
            f"probabilities lie between 0 and 1, these between {float(scores.min()):.4g} and "
            f"{float(scores.max()):.4g}; take the softmax of logits first"
        )
    worst = float(sums.flat[np.abs(sums - 1).argmax()])
    raise DataError(
        f"the probabilities of an element's classes must sum to 1, here they sum to {worst:.4g}; take the softmax over "
        f"axis 1 (of a single foreground probability p, stack 1 - p and p)"
    )


def on_grid(prediction: ArrayLike, target: ArrayLike, dimensions: int, what: str) -> Iterator[tuple[Labels, Labels]]:
    """The label maps of a batch one by one; a single map is a batch of one.

    Raises:
        UsageError: the labels do not lie on a grid of so many dimensions, as those of points.
        DataError: as `label_pair`.
    """
    predicted, truth = label_pair(prediction, target)
    axes = "D, H, W" if dimensions == 3 else "H, W"
    if truth.ndim == dimensions:
        predicted, truth = predicted[None], truth[None]
    elif truth.ndim != dimensions + 1:
        raise UsageError(
            f"{what} needs labels on a grid, ({axes}) or (N, {axes}); labels of shape {truth.shape} have no "
            f"neighbours in it. Points are measured by ConfusionMatrix, PrecisionRecall and Calibration"
        )
    return zip(predicted, truth, strict=True)


def check_spacing(spacing: Sequence[float]) -> tuple[float, ...]:
    """Distance between neighbouring elements along each axis.

    Raises:
        UsageError: not two or three positive numbers.
    """
    try:
        steps = tuple(float(step) for step in spacing)
    except (TypeError, ValueError):
        raise UsageError(f"spacing is a list of 2 or 3 numbers, one an axis, not {spacing!r}") from None
    if len(steps) not in (2, 3) or not all(0 < step < np.inf for step in steps):
        raise UsageError(
            f"spacing is the distance between neighbours along each of 2 or 3 axes (mm per voxel, say), positive "
            f"numbers only, not {tuple(spacing)}"
        )
    return steps


def kept_classes(classes: int, leave_out: Collection[int]) -> NDArray[np.bool_]:
    """(C,) False for the classes to leave out.

    Raises:
        UsageError: one of them is no class.
    """
    wrong = [index for index in leave_out if not 0 <= index < classes]
    if wrong:
        raise UsageError(f"{wrong[0]} is none of the classes 0..{classes - 1}")
    kept = np.ones(classes, dtype=bool)
    kept[list(leave_out)] = False
    return kept


def ratio(numerator: Any, denominator: Any) -> Any:
    """Quotient in float64; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(denominator) > 0, np.asarray(numerator, dtype=np.float64) / denominator, np.nan)


def mean(values: Floats) -> float:
    """Mean of the values that exist; NaN when none does."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def plain(value: Any) -> Any:
    """Numbers and arrays as JSON takes them; what does not exist (NaN, infinity) is null."""
    if isinstance(value, np.ndarray):
        return [plain(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
