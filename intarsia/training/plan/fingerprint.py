"""A look at labelled pictures, from which a plan is made: sizes, colours, class shares, finest labels, what is up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.parts import open_picture
from intarsia.datasets.splits import Split
from intarsia.errors import DataError

SCALES = (1.0, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)
_SIZES_OF = 32  # pictures
_LOOKED_AT = 16
_MOST_PIXELS = 1 << 25  # of all pictures that are looked at together
_LARGEST = 1 << 28  # pixels of one
_LABELS_SIDE = 1024  # label maps are compared at this side at most
_FEW = 4  # pictures, of which nothing is said
_SAME = 0.05  # classes whose shares of the halves differ by less say nothing


@dataclass(frozen=True)
class Fingerprint:
    """What a plan is made of.

    Attributes:
        count: pictures of the training split.
        height: median of up to 32 pictures, as `width`.
        width: in pixels.
        varied: whether sizes differ.
        grey: whether no picture has colours.
        kept: by scale (`SCALES`), mean IoU of the label maps made smaller by it and enlarged again, with themselves:
            what labels keep at that resolution. Empty where pictures are too large to be looked at.
        upright: whether classes lie at the top or the bottom, so that pictures must not be turned over.
        rarest: name and share of the class with the fewest labelled pixels, of those that occur.
    """

    count: int
    height: int
    width: int
    varied: bool
    grey: bool
    kept: dict[float, float]
    upright: bool
    rarest: tuple[str, float]

    @property
    def side(self) -> int:
        """The longer side in pixels."""
        return max(self.height, self.width)


def measure(split: Split) -> Fingerprint:
    """Sizes and class shares alone, of any split that has pixels; up to 32 items are measured.

    Raises:
        DataError: no item can be read.
    """
    sizes = _sizes(split)
    height, width = (int(side) for side in np.median(np.array(sizes), axis=0))
    counts = split.count()
    shares = counts.pixels / max(1, counts.pixels.sum())
    present = [(float(share), name) for share, name in zip(shares, split.space.names, strict=True) if share > 0]
    share, name = min(present, default=(0.0, ""))
    return Fingerprint(
        count=len(split), height=height, width=width, varied=len(set(sizes)) > 1, grey=False, kept={}, upright=True,
        rarest=(name, share),
    )  # fmt: skip


def take_fingerprint(split: Split) -> Fingerprint:
    """Look at a split of pictures; at a part of them where there are many or large ones.

    Raises:
        DataError: no picture can be read.
    """
    measured = measure(split)
    pairs = list(_samples(split, measured.height * measured.width))
    if not pairs:
        return measured
    labels = [_limited(target) for _, target in pairs]
    classes, ignored = len(split.space), split.space.ignore_index
    return replace(
        measured,
        grey=all(_is_grey(image) for image, _ in pairs),
        kept={scale: _kept(labels, scale, classes, ignored) for scale in SCALES},
        upright=_is_upright(labels, classes, ignored),
    )


def _sizes(split: Split) -> list[tuple[int, int]]:
    found = []
    for item in split.items[:: max(1, len(split) // _SIZES_OF)]:
        try:
            reader = open_picture(item.input)
        except DataError:
            continue
        found.append((reader.height, reader.width))
    if not found:
        raise DataError(f"no picture of the split {split.name!r} can be read; run: intarsia data check")
    return found


def _samples(split: Split, pixels: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[Any]]]:
    """Some pairs, evenly drawn; none where one of them is more than may be looked at."""
    if pixels > _LARGEST:
        return
    most = min(_LOOKED_AT, len(split), max(1, _MOST_PIXELS // pixels))
    for index in np.linspace(0, len(split) - 1, most).round().astype(int):
        try:
            yield split.read(int(index))
        except DataError:
            continue


def _limited(labels: NDArray[Any]) -> NDArray[Any]:
    """A label map of which as much is kept as is compared quickly: its middle."""
    top, left = (max(0, side - _LABELS_SIDE) // 2 for side in labels.shape)
    return np.ascontiguousarray(labels[top : top + _LABELS_SIDE, left : left + _LABELS_SIDE]).astype(np.int32)


def _is_grey(image: NDArray[np.uint8]) -> bool:
    return image.shape[2] == 1 or bool((np.ptp(image[::4, ::4, :3].astype(np.int16), axis=2) <= 2).mean() > 0.995)


def _kept(labels: Sequence[NDArray[Any]], scale: float, classes: int, ignored: int) -> float:
    """Mean IoU of label maps with themselves as scores at a scale would give them back."""
    table = np.zeros((classes, classes), np.int64)
    for target in labels:
        height, width = (max(1, round(side * scale)) for side in target.shape)
        small = cv2.resize(target.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        back = np.zeros(target.shape, np.int32)
        best = np.zeros(target.shape, np.float32)
        for label in np.unique(small):
            scores = cv2.resize((small == label).astype(np.float32), target.shape[::-1], interpolation=cv2.INTER_LINEAR)
            wins = scores > best
            back[wins], best[wins] = int(label), scores[wins]
        known = (target != ignored) & (back != ignored) & (target < classes)
        pairs = target[known].astype(np.int64) * classes + back[known]
        table += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    union = table.sum(0) + table.sum(1) - np.diag(table)
    return float(np.mean(np.diag(table)[union > 0] / union[union > 0])) if union.any() else 1.0


def _is_upright(labels: Sequence[NDArray[Any]], classes: int, ignored: int) -> bool:
    """Whether a class lies higher or lower than the middle, by more than chance has it.

    Each picture gives one number a class: its share of the upper half less that of the lower half. Where their mean
    is beyond two standard errors and not small, pictures have an up. Fewer than four pictures do not say.
    """
    if len(labels) < _FEW:
        return True
    leanings = np.array([_leaning(target, classes, ignored) for target in labels])
    mean, error = leanings.mean(axis=0), leanings.std(axis=0, ddof=1) / np.sqrt(len(labels))
    return bool(((np.abs(mean) > 2 * error) & (np.abs(mean) > _SAME)).any())


def _leaning(target: NDArray[Any], classes: int, ignored: int) -> NDArray[np.float64]:
    halves = np.array_split(target, 2)
    shares = [
        np.bincount(half[half != ignored].ravel(), minlength=classes)[:classes] / max(1, half.size) for half in halves
    ]
    return np.asarray(shares[0] - shares[1], np.float64)
