"""Matting: from a soft mask to how much of each pixel is the thing, and to the thing's own colours there."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.refine.filters import Guide

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

WORKING_SIDE = 1024
"""Pixels of the longer side at which edges are looked for; what is found is carried to the picture's own size."""

_MASK_SIDE = 256  # pixels of the longer side that networks see, about
_SURE, _ABSENT = 0.9, 0.1
_REACH = 2  # mask pixels around each in which alpha is a linear function of the colours
_EPSILON = 1e-4
_STEEPER = 2.0  # the filter's blur is taken back
_FUSED = 1  # mask pixels around each whose colours are taken for those that are mixed in it
_NEXT_TO_NOTHING = 1 / 64  # of alpha, and of what is missing to 1
_ROW = 256  # pixels that are looked up in a row; OpenCV takes no row or column of all of them
INSIDE, EDGE = 255, 1


class Matte(NamedTuple):
    """Some rows of a matted picture.

    Attributes:
        kinds: (h, W) uint8: `INSIDE` where alpha is 1, `EDGE` where it may be between, 0 where it is 0.
        edge: (n,) places of the edge's pixels in the rows, counted from left to right and then down.
        alpha: (n,) float32, 0 to 1: the share of each that the thing covers.
        colours: (3, n) float32, 0 to 255: the thing's own, without what shines through.
    """

    kinds: Pixels
    edge: NDArray[np.intp]
    alpha: Floats
    colours: Floats

    def over(self, pixels: Pixels, ground: Pixels) -> Pixels:
        """Put the thing in these rows of a picture (h, W, 3) over others of their size, which may be written on.

        Values are mixed as they are stored, as they were taken apart. Where alpha is 1, pixels stay what they are.
        """
        ground = np.ascontiguousarray(ground)
        cv2.copyTo(pixels, (self.kinds == INSIDE).view(np.uint8), ground)
        flat = _colours(ground)
        mixed = _planar(flat[self.edge])
        mixed += self.alpha * (self.colours - mixed)
        flat[self.edge] = _colours(np.rint(mixed).astype(np.uint8).T)
        return ground

    def cut_out(self, pixels: Pixels) -> Pixels:
        """These rows of a picture (h, W, 3) with all but the thing transparent: (h, W, 4)."""
        found = np.zeros((*pixels.shape[:2], 4), dtype=np.uint8)
        cv2.copyTo(np.dstack([pixels, np.full_like(self.kinds, 255)]), (self.kinds == INSIDE).view(np.uint8), found)
        found.reshape(-1, 4)[self.edge] = np.rint(np.vstack([self.colours, 255 * self.alpha])).T
        return found


class Matting:
    """The matte of a picture, which is given rows at a time.

    Between what is surely the thing and what surely is not, the guided filter makes the mask a linear function of the
    picture's colours, at a small size, and that is then applied to the colours at the picture's own size (He and Sun,
    Fast Guided Filter, arXiv:1505.00996). The thing's own colours come by blur fusion (Forte, Approximate Fast
    Foreground Colour Estimation, ICIP 2021).

    Args:
        picture: (h, w, 3) uint8 RGB, the whole picture at a small size, see `working_size`.
        mask: (h, w) float32, 0 to 1: how likely each pixel is the thing.
        size: (height, width) of the picture itself.
        fine: the mask is alpha already, found at 512 pixels or so (see `EdgeFinder`): it is but carried to the
            picture's own size, by a narrower filter that is not made steeper.

    Attributes:
        alpha: (h, w) float32, at the small size.
    """

    def __init__(self, picture: Pixels, mask: Floats, size: tuple[int, int], *, fine: bool = False) -> None:
        cell = max(picture.shape[:2]) / _MASK_SIDE
        margin, reach, steeper = (cell / 2, cell / 2, 1.0) if fine else (cell, _REACH * cell, _STEEPER)
        sure, absent = (1 - _NEXT_TO_NOTHING, _NEXT_TO_NOTHING) if fine else (_SURE, _ABSENT)
        colours: Floats = picture.astype(np.float32) / np.float32(255)
        inside, outside = _surely(mask >= sure, margin), _surely(mask <= absent, margin)
        inside |= _enclosed(~inside, outside)
        slopes, offset = Guide(picture, max(1, round(reach)), _EPSILON, np.float32).lines(mask)
        lines = np.float32(steeper) * np.dstack([*slopes, offset - 0.5]).astype(np.float32)
        self.alpha = _shares(lines.reshape(-1, 4).T, colours.reshape(-1, 3).T).reshape(mask.shape)
        self.alpha[inside], self.alpha[outside] = 1, 0
        radius = max(1, round(_FUSED * cell))
        near, far = (weighted_mean(colours, weight, radius) for weight in (self.alpha, 1 - self.alpha))
        self._tables = (lines, near, far)
        inside, outside = _surely(self.alpha == 1, 1), _surely(self.alpha == 0, 1)
        self._kinds = np.where(inside, INSIDE, np.where(outside, 0, EDGE)).astype(np.uint8)
        self._size = size

    def rows(self, top: int, pixels: Pixels) -> Matte:
        """The matte of rows of the picture (h, W, 3), from the row `top` on."""
        (height, width), (rows, columns) = self._size, self._kinds.shape
        down = (np.arange(top, top + len(pixels)) * rows) // height
        across = (np.arange(width) * columns) // width
        kinds = np.take(np.take(self._kinds, across, axis=1), down, axis=0)
        edge = np.flatnonzero(kinds == EDGE)
        place = np.zeros((2, (len(edge) // _ROW + 1) * _ROW), dtype=np.float32)
        place[0, : len(edge)] = (edge % width + 0.5) * (columns / width) - 0.5
        place[1, : len(edge)] = (edge // width + top + 0.5) * (rows / height) - 0.5
        lines, near, far = (_looked_up(table, place)[:, : len(edge)] for table in self._tables)
        own: Floats = _planar(_colours(pixels)[edge]) / np.float32(255)
        alpha = _shares(lines, own)
        near += alpha * (own - far - alpha * (near - far))
        np.copyto(near, own, where=alpha == 1)
        return Matte(kinds, edge, alpha, np.clip(near, 0, 1, out=near) * 255)


def working_size(height: int, width: int, side: int = WORKING_SIDE) -> tuple[int, int]:
    """(height, width) at which a picture of this size is matted."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def snapped(alpha: Floats) -> Floats:
    """Alpha, of which what is next to 0 or 1 is made that, in place."""
    np.copyto(alpha, 1, where=alpha > 1 - _NEXT_TO_NOTHING)
    np.copyto(alpha, 0, where=alpha < _NEXT_TO_NOTHING)
    return alpha


def weighted_mean(values: Floats, weight: Floats, radius: int) -> Floats:
    """The weighted mean of values (h, w, C) around each pixel; where nothing near has any weight, from further away."""
    planes = [plane * weight for plane in cv2.split(values)]
    found = [np.full_like(weight, plane.mean() / max(float(weight.mean()), 1e-9)) for plane in planes]
    for factor in (9, 3, 1):
        size = (2 * radius * factor + 1, 2 * radius * factor + 1)
        total = cv2.blur(weight, size, borderType=cv2.BORDER_REFLECT)
        share = np.minimum(total * 20, 1)
        inverse = share / np.maximum(total, 1e-9)
        for mean, plane in zip(found, planes, strict=True):
            mean += cv2.blur(plane, size, borderType=cv2.BORDER_REFLECT) * inverse - share * mean
    return np.asarray(cv2.merge(found), dtype=np.float32)


def _surely(mask: NDArray[np.bool_], cell: float) -> NDArray[np.bool_]:
    """A mask without its last pixels."""
    radius = max(1, round(cell))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.erode(mask.view(np.uint8), disc, borderValue=1), dtype=bool)


def _enclosed(doubtful: NDArray[np.bool_], outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Doubtful places within the thing: those that hang together with nothing that is surely outside."""
    pieces = cv2.connectedComponents(doubtful.view(np.uint8), connectivity=8)[1]
    reached = np.zeros(pieces.max(initial=0) + 1, dtype=bool)
    reached[pieces[outside]] = True
    enclosed: NDArray[np.bool_] = doubtful & ~reached[pieces]
    return enclosed


def _shares(lines: Floats, colours: Floats) -> Floats:
    """Alpha by slopes and offset (4, n) of colours (3, n); what is next to 0 or 1 is that."""
    alpha: Floats = sum(slope * colour for slope, colour in zip(lines, colours, strict=False)) + lines[3]
    alpha += np.float32(0.5)
    return snapped(alpha)


def _looked_up(table: Floats, place: Floats) -> Floats:
    """Values (C, n) of a table (h, w, C) at places (2, n), x and y, between its pixels."""
    x, y = place.reshape(2, -1, _ROW)
    found = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(np.asarray(found, dtype=np.float32).reshape(-1, table.shape[2]).T)


def _colours(pixels: Pixels) -> NDArray[np.void]:
    """Pixels (..., 3) as single things (n,), which are looked up in one go; a view, where they lie together."""
    return np.ascontiguousarray(pixels).reshape(-1, 3).view("V3")[:, 0]


def _planar(colours: NDArray[np.void]) -> Floats:
    """Colours (n,) as (3, n) float32, 0 to 255."""
    return colours.view(np.uint8).reshape(-1, 3).T.astype(np.float32, order="C")
