"""Sample pixels of a stream of pictures: bounded memory, every pixel with the same chance, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.models.classical.model import UNLABELLED

Choice = list[tuple[int, NDArray[np.int64], NDArray[np.float64]]]


class PixelSample:
    """At most so many pixels of any number of pictures, as many of each class as there are (or of all kinds alike).

    Each pixel gets a random key, and the smallest keys are kept: a uniform sample of what has passed so far, without
    knowing how much will come (bottom-k sampling; Vitter 1985, doi:10.1145/3147.3165, does the same by counting).

    Args:
        pixels: most pixels in all.
        classes: classes that share the places equally; None draws from all pixels, labelled or not.
        width: features of a pixel.
        seed: of the drawing.

    Attributes:
        seen: (C,) labelled pixels of each class that have passed; None without classes.
    """

    def __init__(self, pixels: int, classes: int | None, width: int, *, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.seen: NDArray[np.int64] | None = None if classes is None else np.zeros(classes, np.int64)
        self._kept = [_Kept(max(1, pixels // (classes or 1)), width) for _ in range(classes or 1)]

    def choose(self, labels: NDArray[np.int64]) -> Choice:
        """Which of the next pixels shall be described and given to `add`, by class.

        Args:
            labels: (P,) class indices, `UNLABELLED` where nothing is known.
        """
        if self.seen is None:
            members = [np.arange(len(labels))]
        else:
            counts = np.bincount(labels[labels != UNLABELLED], minlength=len(self.seen))
            self.seen += counts
            order = np.argsort(labels, kind="stable")
            members = np.split(order[len(labels) - counts.sum() :], np.cumsum(counts)[:-1])
        chosen = []
        for number, places in enumerate(members):
            if len(places):
                keys = self._random.random(len(places))
                wanted = np.flatnonzero(keys < self._kept[number].bar)
                if len(wanted):
                    chosen.append((number, places[wanted], keys[wanted]))
        return chosen

    def add(self, choice: Choice, labels: NDArray[np.int64], features: NDArray[np.float32]) -> None:
        """Keep chosen pixels.

        Args:
            choice: what `choose` returned.
            labels: (P,), as given to it.
            features: (F, P).
        """
        for number, places, keys in choice:
            self._kept[number].add(keys, labels[places], features[:, places].T)

    def result(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features (n, F) and labels (n,) of the pixels drawn."""
        return (
            np.concatenate([kept.features for kept in self._kept]),
            np.concatenate([kept.labels for kept in self._kept]),
        )


class _Kept:
    """The pixels with the smallest keys; from `bar` on, none comes in any more."""

    def __init__(self, capacity: int, width: int) -> None:
        self.bar = 1.0
        self._capacity = capacity
        self._keys = np.empty(0)
        self.labels: NDArray[np.int64] = np.empty(0, np.int64)
        self.features: NDArray[np.float32] = np.empty((0, width), np.float32)

    def add(self, keys: NDArray[np.float64], labels: NDArray[np.int64], features: NDArray[np.float32]) -> None:
        if len(keys) > self._capacity:  # only the best of them are copied
            best = np.argpartition(keys, self._capacity - 1)[: self._capacity]
            keys, labels, features = keys[best], labels[best], features[best]
        self._keys = np.concatenate([self._keys, keys])
        self.labels = np.concatenate([self.labels, labels])
        self.features = np.concatenate([self.features, features])
        if len(self._keys) >= self._capacity:
            best = np.argpartition(self._keys, self._capacity - 1)[: self._capacity]
            self._keys, self.labels, self.features = self._keys[best], self.labels[best], self.features[best]
            self.bar = float(self._keys.max())
