"""Cloth: what a garment shall be made of, as a colour at each place of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.tryon.fitting import Fit, Points
from intarsia.media.images import ImageLike, read_image
from intarsia.media.oklab import Floats, to_oklab

_TILE = 1024  # pixels of a side that a texture is kept at
_FLAT = 0.08  # of a garment's size, over which its own light is evened out


@dataclass(frozen=True)
class Cloth:
    """What a garment shall be made of.

    Attributes:
        said: in words, for records.
        at: from places on the cloth (N, 2), in sizes of the garment, to OKLab (N, 3) or (3,).
    """

    said: str
    at: Callable[[Points], Floats]


def plain(colour: tuple[int, int, int], name: str) -> Cloth:
    """Cloth of one colour, in the values of the photo that it comes into."""
    lab = to_oklab(np.array(colour, np.uint8))
    return Cloth(f"colour {name}", lambda places: lab)


def printed(texture: ImageLike, *, scale: float = 0.5) -> Cloth:
    """Cloth with a picture on it again and again, every second time mirrored, so that there are no seams.

    Args:
        texture: the picture.
        scale: its width, in sizes of the garment.

    Raises:
        DataError: the picture cannot be read.
    """
    tile = to_oklab(_reduced(read_image(texture)))
    width = tile.shape[1]
    return Cloth(f"texture {said(texture)}", lambda places: _sampled(tile, places * (width / scale)))


def worn(photo: NDArray[np.uint8], mask: NDArray[np.bool_], fit: Fit, said: str) -> Cloth:
    """Cloth as a garment on another photo is made of, its own light evened out.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W), where the garment is.
        fit: how its cloth lies there, of the same kind as that of the garment which it replaces.
        said: the photo's name.
    """
    rows, columns = np.nonzero(mask)
    top, left = rows.min(), columns.min()
    box = slice(top, rows.max() + 1), slice(left, columns.max() + 1)
    lab = to_oklab(photo[box])
    lab = _filled(_evened(lab, mask[box]), mask[box])
    return Cloth(f"garment of {said}", lambda places: _sampled(lab, fit.from_cloth(places) - (left, top)))


def _evened(lab: Floats, inside: NDArray[np.bool_]) -> Floats:
    sigma = _FLAT * float(np.sqrt(inside.sum()))
    weight = inside.astype(np.float32)
    smooth = cv2.GaussianBlur(lab[..., 0] * weight, (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma).clip(1e-3)
    middle = float(np.median(lab[..., 0][inside]))
    found: Floats = lab * (middle / np.maximum(smooth, 0.05))[..., None].astype(np.float32)
    return found


def _filled(lab: Floats, inside: NDArray[np.bool_]) -> Floats:
    """What is no garment gets the colour of its nearest pixel."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    colours[nearest[inside]] = lab[inside]
    filled: Floats = colours[nearest]
    return filled


def _sampled(tile: Floats, places: Points) -> Floats:
    """Colours at places (x, y) in pixels of a picture that goes on mirrored."""
    height, width = tile.shape[:2]
    # Folded here: OpenCV mirrors only what lies near the picture.
    folded = [_folded(places[:, :1], width), _folded(places[:, 1:], height)]
    maps = np.stack(folded, axis=-1).astype(np.float32)
    rows = [
        cv2.remap(tile, maps[start : start + _MOST], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)  # type: ignore[call-overload]
        for start in range(0, len(maps), _MOST)
    ]
    return np.concatenate(rows).reshape(-1, 3)


_MOST = 30_000  # rows of a map that OpenCV takes


def _folded(x: Points, length: int) -> Points:
    turned = np.mod(x, 2 * length)
    inside: Points = np.minimum(turned, 2 * length - 1 - turned).clip(0, length - 1)
    return inside


def _reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if max(height, width) <= _TILE:
        return picture
    scale = _TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def said(source: ImageLike) -> str:
    """Name a picture in records."""
    return Path(source).name if isinstance(source, str | os.PathLike) else "a picture in memory"
