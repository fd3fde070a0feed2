"""Region: a turned square of a photo that a network sees, and the way back from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.runtimes.contract import Floats
from intarsia.transforms.preprocess import resize_image

Points = NDArray[np.float32]
"""(n, 2) or (n, 3): x and y in pixels of a photo, and depth in the same measure."""
_SPARSE = 4  # pixels of a photo for one of a crop: beyond it, means are taken first


@dataclass(frozen=True)
class Region:
    """A square of a photo.

    Attributes:
        centre: x and y in pixels of the photo.
        side: in pixels.
        angle: by which it is turned, in radians, clockwise as seen.
    """

    centre: tuple[float, float]
    side: float
    angle: float = 0.0

    def crop(self, image: NDArray[np.uint8], size: int, *, black: bool = False) -> NDArray[np.uint8]:
        """Cut it out of a photo.

        Pixels are read as MediaPipe reads them, so that its networks see what they were made for: bilinearly, at whole
        steps from the region's corner.

        Args:
            image: (H, W, 3).
            size: of the crop.
            black: beyond the photo's border; if not, its outer pixels go on.

        Returns:
            (size, size, 3).
        """
        matrix = self._to_photo(size)
        shrunk = int(self.side / size / _SPARSE)
        if shrunk > 1:
            height, width = image.shape[:2]
            image = resize_image(image, max(1, height // shrunk), max(1, width // shrunk))
            scale = np.array([image.shape[1] / width, image.shape[0] / height])
            matrix = matrix * scale[:, None]
            matrix = matrix + [[0, 0, shift] for shift in (scale - 1) / 2]
        border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=border), np.uint8)

    def to_photo(self, points: NDArray[np.floating], size: int) -> Points:
        """Points (n, 2) or (n, 3) of its crop of `size` pixels to those of the photo; depths in the same measure."""
        matrix = self._to_photo(size)
        flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return np.concatenate([flat, points[:, 2:3] * (self.side / size)], axis=1, dtype=np.float32)

    def spread(self, values: Floats, height: int, width: int, beyond: float) -> Floats:
        """Lay values (n, n) of its crop over the photo: (height, width) float32, `beyond` outside it."""
        found = np.full((height, width), beyond, np.float32)
        (top, bottom), (left, right) = self._box(height, width)
        if top < bottom and left < right:
            matrix = self._to_photo(len(values)) - [[0, 0, left], [0, 0, top]]
            found[top:bottom, left:right] = cv2.warpAffine(
                values, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderValue=beyond
            )
        return found

    def _to_photo(self, size: int) -> NDArray[np.float64]:
        """(2, 3): from its crop's pixels, counted from the corner, to the photo's."""
        step, (x, y) = self.side / size, self.centre
        cosine, sine = step * np.cos(self.angle), step * np.sin(self.angle)
        half = size / 2
        return np.array([[cosine, -sine, x - half * (cosine - sine)], [sine, cosine, y - half * (cosine + sine)]])

    def _box(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The rows and columns of a photo that it can reach."""
        reach = self.side / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle))) + 1
        x, y = self.centre
        rows = max(0, int(y - reach)), min(height, int(np.ceil(y + reach)))
        return rows, (max(0, int(x - reach)), min(width, int(np.ceil(x + reach))))
