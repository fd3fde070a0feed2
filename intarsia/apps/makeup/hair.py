"""Where the hair of a face is: as a network of the user's says, or by its colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.faces.parts import HasPoints, Mask, eye_distance, filled, outline
from intarsia.media.oklab import Floats, to_oklab

Pixels = NDArray[np.uint8]
HairFinder = Callable[[Pixels, HasPoints], Mask]
"""From a picture of a head (H, W, 3) and the face in it to how much of each pixel is hair (H, W), 0 to 1."""

_SAMPLES = 3000  # colours that a model is made from
_FEWEST = 50  # colours that make one at all
_VARIANCE = 4e-4  # added to that of a colour model, which may have seen one shade only
_UNLIKELY = -30.0  # logarithm of the likelihood where there is no model
_ROUNDS = 2  # in which the colours of hair are learned again, from what looks like it
_OVER_FACE = 5.0  # how much more hair has to look like hair there
_SEED = 0


class Segments(Protocol):
    """What is needed of a predictor of pictures."""

    def probabilities(self, source: Pixels) -> Floats:
        """(C, H, W), which sum to 1."""


def by_network(predictor: Segments, index: int) -> HairFinder:
    """Find hair by a network.

    Args:
        predictor: a model of the parts of faces.
        index: of its class hair.
    """
    return lambda image, face: predictor.probabilities(image)[index]


def by_colour(person: Segments) -> HairFinder:
    """Find hair by its colour, with a model of what is a person and no model of hair.

    Hair looks rather like what is above and beside the forehead than like the face or what is below the chin. Near the
    forehead that is soon believed; far from it, and over the face, much less so.

    Args:
        person: a model whose class 1 is a person.
    """
    return lambda image, face: _grown(image, face, person.probabilities(image)[1])


def _grown(image: Pixels, face: HasPoints, person: Mask) -> Mask:
    eyes, size = eye_distance(face), person.shape
    x, y, chin = _own_axes(face, size)
    oval = filled(outline(face, "oval"), size) > 0.5
    outside = (person > 0.5) & ~oval
    lab: Any = cv2.GaussianBlur(to_oklab(image), (0, 0), max(0.5, eyes / 80))
    skin = _likelihood(lab, oval & (abs(x) < 0.8) & (y > 0.15) & (y < 0.7), 2)
    cloth = _likelihood(lab, outside & (y > 1.35 * chin) & (abs(x) < 1.2), 3)
    seed = outside & (y < -0.3)
    hair = _likelihood(lab, seed, 3)
    for _ in range(_ROUNDS):  # a bare forehead is above the oval, too
        hair = _likelihood(lab, seed & (hair > skin), 3)
    odds = np.where(oval, hair - skin - _OVER_FACE, hair - np.maximum(skin, cloth))
    odds += np.clip(2.6 - 3 * y, -2, 1) - np.where((abs(x) < 0.85) & (y > chin), 2, 0)
    odds[oval & (abs(x) < 0.9) & (y > -0.45)] = _UNLIKELY  # eyes, brows and mouth are dark, too
    odds = cv2.GaussianBlur(np.clip(odds, -20, 20), (0, 0), max(0.5, eyes / 30))
    found: Mask = (person / (1 + np.exp(-odds))).astype(np.float32)
    return found


def _own_axes(face: HasPoints, size: tuple[int, int]) -> tuple[Floats, Floats, float]:
    """How far right of and below the eyes each pixel is, in eye distances, as the face is turned; and the chin."""
    left, right = (face.points[list(pair), :2].mean(axis=0) for pair in ((33, 133), (362, 263)))
    middle, axis = (left + right) / 2, (right - left) / eye_distance(face) ** 2
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    across, down = columns - middle[0], rows - middle[1]
    chin = face.points[152, :2] - middle
    return (
        across * axis[0] + down * axis[1],
        down * axis[0] - across * axis[1],
        float(chin[1] * axis[0] - chin[0] * axis[1]),
    )


def _likelihood(lab: Floats, seed: NDArray[np.bool_], shades: int) -> Floats:
    """How likely each colour is, as a logarithm, among those of a region; as a mixture of a few shades."""
    found = np.full(lab.shape[:2], _UNLIKELY, dtype=np.float32)
    seen = lab[seed]
    if len(seen) < _FEWEST:
        return found
    seen = np.ascontiguousarray(seen[:: -(-len(seen) // _SAMPLES)])
    cv2.setRNGSeed(_SEED)
    _, which, _ = cv2.kmeans(seen, shades, None, (3, 10, 1e-4), 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    for shade in range(shades):
        own = seen[which[:, 0] == shade]
        if len(own) > shades:
            found = np.logaddexp(found, _normal(lab, own) + np.float32(np.log(len(own) / len(seen))))
    return found


def _normal(lab: Floats, seen: Floats) -> Floats:
    """The logarithm of the normal density of the colours seen (N, 3), at each pixel, but for a constant."""
    spread = np.cov(seen.T) + np.eye(3) * _VARIANCE
    off = (lab - seen.mean(axis=0)) @ np.linalg.cholesky(np.linalg.inv(spread)).astype(np.float32)
    density: Floats = -0.5 * (off * off).sum(axis=2) - np.float32(0.5 * np.linalg.slogdet(spread)[1])
    return density


def never(face: HasPoints, others: Sequence[HasPoints], size: tuple[int, int]) -> Mask:
    """Where a face's hair is not: its own eyes, brows and mouth, and what is nearer to another face; (H, W), 0 to 1."""
    found = np.zeros(size, dtype=np.float32)
    for name in ("left_eye", "right_eye", "left_brow", "right_brow", "lips"):
        np.maximum(found, filled(outline(face, name), size), out=found)
    for other in others:
        np.maximum(found, filled(outline(other, "oval"), size), out=found)
        found[_distance(other, size) < _distance(face, size)] = 1
    return found


def _distance(face: HasPoints, size: tuple[int, int]) -> Floats:
    """How far each pixel is from a face, squared, in eye distances."""
    x, y, _ = _own_axes(face, size)
    return x * x + y * y
