"""One face and its make-up: which pixels get what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.makeup.hair import WORKED, HairFinder, never
from intarsia.apps.makeup.look import Look
from intarsia.apps.makeup.paint import feathered, recolour, smooth
from intarsia.apps.makeup.teeth import find_teeth
from intarsia.inference.faces.parts import HasPoints, Mask, Points, eye_distance, face_parts, filled, outline
from intarsia.media.oklab import to_oklab
from intarsia.media.pixels import resized
from intarsia.refine import guided_filter

Pixels = NDArray[np.uint8]
Colours = dict[str, tuple[int, int, int]]

FEATHER = {"skin": 0.06, "lips": 0.03, "brows": 0.04, "eyes": 0.015, "hair": 0.02}
"""How far the edge of each part is softened, in distances between the eyes."""

_PUPIL = 0.45  # of the iris's radius
_AROUND = (3.2, 2.8, 4.5)  # the region that hair is looked for in: to the sides, up and down, in eye distances
_SURE = (0.2, 0.8)  # shares of hair that are taken for none and all of it
_STRANDS = (3, 1e-4)  # radius and variance of the filter that pulls the hair's mask to the picture's edges
_MARGIN = 0.3  # around the points, in eye distances
_SMALLEST = 8.0  # pixels between the eyes
_FLATTEST = 0.1  # share of the face's width that is seen of one of its sides
# Between the eyes, on the temples: how the face is turned tells which of the two hides behind it.
_BRIDGE, _TEMPLES = 168, (234, 454)


@dataclass(frozen=True)
class Layer:
    """A part that was painted.

    Attributes:
        name: what it is: skin, brows, eyes, lips or hair.
        place: its rows and columns of the picture.
        mask: how much of each pixel there was painted (h, w), 0 to 1.
    """

    name: str
    place: tuple[slice, slice]
    mask: Mask


@dataclass(frozen=True)
class Shifted:
    """A face in a part of its picture, or in a reduced one."""

    points: Points


def refusal(face: HasPoints) -> str:
    """Say why a face cannot be painted; "" if it can."""
    if eye_distance(face) < _SMALLEST:
        return "it is too small"
    points = face.points[:, :2]
    sides = np.linalg.norm(points[list(_TEMPLES)] - points[_BRIDGE], axis=1)
    return "it is seen from the side" if sides.min() < _FLATTEST * sides.sum() else ""


def paint_face(
    image: Pixels, face: HasPoints, look: Look, colours: Colours, others: Sequence[HasPoints], hair: HairFinder | None
) -> list[Layer]:
    """Paint one face, in place.

    Args:
        image: (H, W, 3) uint8 sRGB.
        face: with its points.
        look: what is wanted.
        colours: of the look, as the picture has them.
        others: further faces in the picture, to whom hair belongs that is nearer to them.
        hair: finds it; None where the look wants none.

    Returns:
        What was painted: the picture is as it was where all masks are 0. Nothing of a face that lies outside of it.
    """
    eyes, size = eye_distance(face), image.shape[:2]
    place = _box(face.points, size, np.full(4, _MARGIN * eyes))
    if not image[place].size:
        return []
    layers = []
    if any((look.skin, look.brows, look.eyes, look.lips)):
        near = _moved(face, place)
        masks = _masks(face_parts(near, image[place].shape[:2]), near, image[place], look)
        layers += [Layer(name, place, mask) for name, mask in masks.items()]
    if hair is not None:
        side, up, down = (reach * eyes for reach in _AROUND)
        place = _box(face.points[[33, 263]].mean(axis=0)[None], size, np.array([side, up, side, down]))
        mask = _hair(image[place], _moved(face, place), [_moved(one, place) for one in others], hair)
        layers.append(Layer("hair", place, mask))
    for layer in layers:
        if layer.name == "skin":
            smooth(image[layer.place], layer.mask, eyes, look.strength)
        else:
            recolour(image[layer.place], layer.mask, colours[layer.name], look.strength)
    return layers


def _masks(parts: dict[str, Mask], face: HasPoints, image: Pixels, look: Look) -> dict[str, Mask]:
    """What of a face gets which paint, with soft edges that end at the eyes and at what is between the lips."""
    eyes, found = eye_distance(face), {}
    kept = 1 - np.minimum(1, 2 * (parts["mouth"] + parts["left_eye"] + parts["right_eye"]))
    if look.skin:
        found["skin"] = feathered(parts["skin"], FEATHER["skin"] * eyes) * kept
    if look.brows:
        drawn = (_hairs(parts[name], image, eyes) for name in ("left_brow", "right_brow"))
        found["brows"] = np.maximum(*drawn) * kept
    if look.eyes:
        drawn = (_ring(parts[name], face, name, eyes) for name in ("left_iris", "right_iris"))
        found["eyes"] = np.maximum(*drawn)
    if look.lips:
        lips = feathered(parts["lips"], FEATHER["lips"] * eyes) * kept
        line = filled(outline(face, "mouth"), image.shape[:2])
        found["lips"] = lips * (1 - find_teeth(image, parts["lips"], line, eyes))
    return found


def _hairs(brow: Mask, image: Pixels, eyes: float) -> Mask:
    """The hairs of a brow: what is dark in it, and not the skin between."""
    soft = feathered(brow, FEATHER["brows"] * eyes)
    inside = soft > 0
    if not inside.any():
        return soft
    lightness = to_oklab(image[inside])[:, 0]
    dark, light = np.percentile(lightness, (20, 90))
    soft[inside] *= np.clip((light - lightness) / max(light - dark, 0.02), 0, 1)
    return soft


def _ring(iris: Mask, face: HasPoints, name: str, eyes: float) -> Mask:
    """An iris without its pupil, within the lids."""
    edge = outline(face, name)
    middle = edge.mean(axis=0)
    pupil = filled(middle + _PUPIL * (edge - middle), iris.shape)
    ring: Mask = iris * feathered(iris * (1 - pupil), FEATHER["eyes"] * eyes)
    return ring


def _hair(image: Pixels, face: HasPoints, others: Sequence[HasPoints], find: HairFinder) -> Mask:
    """Hair, looked for in a reduced picture; its edges are those of that picture."""
    height, width = image.shape[:2]
    scale = min(1.0, WORKED / eye_distance(face))
    small = resized(image, max(1, round(height * scale)), max(1, round(width * scale)), cv2.INTER_AREA)
    share = np.clip(find(small, Shifted(face.points * scale)), 0, 1)
    radius, variance = _STRANDS
    share = guided_filter(np.stack([1 - share, share]), small, radius=radius, epsilon=variance)[1]
    low, high = _SURE
    sure = np.clip((share - low) / (high - low), 0, 1).astype(np.float32)
    kept = 1 - np.minimum(1, 2 * never(face, others, (height, width)))
    return np.asarray(resized(sure, height, width, cv2.INTER_LINEAR) * kept, dtype=np.float32)


def _box(points: Points, size: tuple[int, ...], reach: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of a picture around points: so far left, up, right and down of them."""
    low = np.floor(points[:, :2].min(axis=0) - reach[:2]).astype(int)
    high = np.ceil(points[:, :2].max(axis=0) + reach[2:]).astype(int) + 1
    return slice(max(low[1], 0), max(high[1], 0)), slice(max(low[0], 0), max(high[0], 0))


def _moved(face: HasPoints, place: tuple[slice, slice]) -> Shifted:
    return Shifted(face.points - np.array([place[1].start, place[0].start, 0]))
