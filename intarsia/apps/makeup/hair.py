"""Where the hair of a face is: as a network of the user's says, or by its looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.faces.parts import HasPoints, Mask, eye_distance, filled, outline
from intarsia.media.oklab import Floats, to_oklab
from intarsia.media.pixels import resized

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
WORKED = 40  # pixels between the eyes where hair is looked for
DRESSED = (0.4, 0.5, 0.6, 0.8)
"""Scales of that at which the model of clothes sees heads about as it learned them: small, of people who stand."""
_COLOUR, _BIAS = 0.15, 0.7  # weight of what colour says beside that model, which knows hair, but misses some
_FAINTEST = 1e-3  # share of hair that it is believed to tell from none
_UNKNOWN = (0.02, 0.3)  # what it sees less of is nothing that it knows; the share of that which is hair


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


def by_looks(person: Segments, clothes: Segments, index: int, nobody: int) -> HairFinder:
    """Find hair without a model of the parts of faces: by its colour, and by what a model of clothes takes for hair.

    The one knows where hair is likely and not what it looks like, the other hair, but no close look at it.

    Args:
        person: a model whose class 1 is a person.
        clothes: a model of clothes on people, which sees pictures as they are, at the scales of `DRESSED`.
        index: of its class hair.
        nobody: of its background.
    """
    least, prior = _UNKNOWN

    def find(image: Pixels, face: HasPoints) -> Mask:
        size = image.shape[0], image.shape[1]
        shares = person.probabilities(image)[1]
        seen = _dressed(image, face, clothes)
        worn = (seen[index] + least * prior) / (1 - seen[nobody] + least)  # of somebody, whom the other model tells
        worn = np.clip(worn, _FAINTEST, 1 - _FAINTEST)
        odds = _COLOUR * _colour_odds(image, face, shares > 0.5) + np.log(worn / (1 - worn)) + _BIAS
        odds[_inner(face, size)] = _UNLIKELY
        found: Mask = (shares / (1 + np.exp(-odds))).astype(np.float32)
        return found

    return find


def _dressed(image: Pixels, face: HasPoints, clothes: Segments) -> Floats:
    """What a model of clothes says of a head, which is enlarged for it if it is small."""
    height, width = image.shape[:2]
    larger = max(1.0, WORKED / eye_distance(face))
    seen = resized(image, round(height * larger), round(width * larger), cv2.INTER_LINEAR) if larger > 1 else image
    found = np.ascontiguousarray(np.moveaxis(clothes.probabilities(seen), 0, 2))
    return np.moveaxis(resized(found, height, width, cv2.INTER_LINEAR), 2, 0)


def _inner(face: HasPoints, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a face has no hair, but what falls over its forehead: eyes, brows and mouth are dark, too."""
    x, y, _ = _own_axes(face, size)
    inner: NDArray[np.bool_] = (filled(outline(face, "oval"), size) > 0.5) & (abs(x) < 0.9) & (y > -0.45)
    return inner


def _colour_odds(image: Pixels, face: HasPoints, person: NDArray[np.bool_]) -> Floats:
    """How much likelier each pixel's colour is that of hair, as a logarithm.

    Hair looks rather like what is above and beside the forehead than like the face or what is below the chin. Near the
    forehead that is soon believed; far from it, and over the face, much less so.
    """
    eyes, size = eye_distance(face), person.shape
    x, y, chin = _own_axes(face, size)
    oval = filled(outline(face, "oval"), size) > 0.5
    outside = person & ~oval
    lab: Any = cv2.GaussianBlur(to_oklab(image), (0, 0), max(0.5, eyes / 80))
    skin = _likelihood(lab, oval & (abs(x) < 0.8) & (y > 0.15) & (y < 0.7), 2)
    cloth = _likelihood(lab, outside & (y > 1.35 * chin) & (abs(x) < 1.2), 3)
    seed = outside & (y < -0.3)
    hair = _likelihood(lab, seed, 3)
    for _ in range(_ROUNDS):  # a bare forehead is above the oval, too
        hair = _likelihood(lab, seed & (hair > skin), 3)
    odds = np.where(oval, hair - skin - _OVER_FACE, hair - np.maximum(skin, cloth))
    odds += np.clip(2.6 - 3 * y, -2, 1) - np.where((abs(x) < 0.85) & (y > chin), 2, 0)
    return np.asarray(cv2.GaussianBlur(np.clip(odds, -20, 20), (0, 0), max(0.5, eyes / 30)), dtype=np.float32)


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
