"""From a photo to the vector that it is found by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.search.colours import dominant
from intarsia.apps.search.foreground import Kind, Segments, find_thing
from intarsia.bundle import onnxfile
from intarsia.errors import DataError
from intarsia.runtimes.network import Network
from intarsia.zoo import bundled_models

SIDE = 224
"""Pixels of a side of what the network sees."""
_LEAST = 8  # pixels of a side of a photo, below which nothing is told apart
_EVEN = 1.0  # levels that pixels deviate, below which nothing is seen
_AROUND = 0.06  # of a thing's longer side, that is seen around it
_GREY = 0.5


@dataclass(frozen=True)
class Embedded:
    """What is known of the thing on a photo.

    Attributes:
        vector: (D,) float32, of length 1.
        category: what the network takes it for.
        mask: how it was found in the photo: "clothes", "foreground" or "whole".
        colours: (3, 3) uint8 sRGB, its main colours.
        shares: (3,) float32, of the thing, of each colour.
    """

    vector: NDArray[np.float32]
    category: str
    mask: Kind
    colours: NDArray[np.uint8]
    shares: NDArray[np.float32]


class Embedder:
    """Makes vectors of photos: features of an ImageNet network, averaged over the thing that a photo shows.

    Args:
        masked: look at the thing alone; if not, at the whole photo.
        clothes: model that finds clothes on people; None takes the bundled one, if there is one.
        file: of the network; None takes the bundled one.

    Attributes:
        masked: as given.

    Raises:
        ModelError: the network is missing or damaged.
    """

    def __init__(self, *, masked: bool = True, clothes: Segments | None = None, file: Path | None = None) -> None:
        self._network = Network(file or Path(__file__).parents[2] / "zoo" / "search.onnx")
        self.masked, self._clothes = masked, clothes
        if masked and clothes is None and "clothes" in bundled_models():
            import intarsia

            loaded: Any = intarsia.load("clothes")
            self._clothes = loaded

    @cached_property
    def checksum(self) -> str:
        """Of the network that makes the vectors: only those of the same one can be compared."""
        digest = hashlib.sha256()
        onnxfile.digest(self._network.file, digest)
        return digest.hexdigest()

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """What the network can take a thing for."""
        return self._network.description.space.names

    def embed(self, photo: NDArray[np.uint8]) -> Embedded:
        """Make the vector of a photo (H, W, 3) uint8 RGB.

        Raises:
            DataError: the photo is too small, or too even, to show anything.
        """
        if min(photo.shape[:2]) < _LEAST:
            raise DataError(f"the photo has {photo.shape[1]}x{photo.shape[0]} pixels, too few to show anything")
        if cv2.meanStdDev(photo)[1].max() < _EVEN:
            raise DataError("the photo is of one colour: there is nothing on it to search for")
        if self.masked:
            mask, kind = find_thing(photo, self._clothes)
        else:
            mask, kind = np.ones((_LEAST, _LEAST), bool), "whole"
        found = self._network.run(framed(photo, mask)[None])
        colours, shares = dominant(photo, mask)
        category = self.categories[int(found["category"][0].argmax())]
        return Embedded(found["embedding"][0], category, kind, colours, shares)


def framed(photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Cut a thing out of a photo, as the network sees it.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (h, w), of any size, where the thing is.

    Returns:
        (4, 224, 224) float32: red, green and blue 0..1, and the thing's share of each pixel; beyond the photo grey, and
        no thing. The photo keeps its proportions.
    """
    height, width = photo.shape[:2]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale = np.array([height / mask.shape[0], width / mask.shape[1]])
    low = np.array([rows[0], columns[0]]) * scale
    high = (np.array([rows[-1], columns[-1]]) + 1) * scale
    side = float(max(high - low)) * (1 + 2 * _AROUND)
    top, left = ((low + high) / 2 - side / 2).tolist()
    zoom = SIDE / side
    if zoom < 1:  # warping takes single pixels; a smaller photo has averages
        size = max(1, round(width * zoom)), max(1, round(height * zoom))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown, thing = photo.astype(np.float32) / np.float32(255), mask.astype(np.float32)
    parts = [_placed(one, (height, width), (top, left), zoom, beyond) for one, beyond in ((shown, _GREY), (thing, 0.0))]
    return np.concatenate(parts)


def _placed(
    pixels: NDArray[np.float32], size: tuple[int, int], corner: tuple[float, float], zoom: float, beyond: float
) -> NDArray[np.float32]:
    """Move a map (h, w[, C]) of a photo of `size` so that the photo's `corner` comes first: (C, 224, 224)."""
    down, across = size[0] / pixels.shape[0], size[1] / pixels.shape[1]  # the photo's pixels to one of the map
    top, left = corner
    move = np.array(
        [
            [zoom * across, 0, zoom * (across / 2 - left) - 0.5],  # middles lie half a pixel from corners
            [0, zoom * down, zoom * (down / 2 - top) - 0.5],
        ]
    )
    placed = cv2.warpAffine(
        pixels, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(beyond,) * 4
    )
    return np.asarray(placed, np.float32).reshape(SIDE, SIDE, -1).transpose(2, 0, 1)
