"""Views: the network on a picture as it is, mirrored, and at other scales, as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.media.source import Place
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.contract import Floats, Runtime
from intarsia.runtimes.upsampling import Span, resized_logits, softmax
from intarsia.transforms.preprocess import normalise, resize_image


class Views:
    """How a network looks at pixels: once, or several times, whose probabilities are averaged.

    Args:
        runtime: what computes.
        preprocessing: what happens to pixels before.
        scales: of the working size.
        mirrored: whether the mirror image is looked at as well.
        order: where the mirror image has each class: its own number, or the other side's of left and right.
    """

    def __init__(
        self,
        runtime: Runtime,
        preprocessing: Preprocessing,
        scales: Sequence[float],
        mirrored: bool,
        order: Sequence[int],
    ) -> None:
        self._runtime, self._preprocessing, self._order = runtime, preprocessing, list(order)
        self._views = [(scale, turned) for scale in scales for turned in ((False, True) if mirrored else (False,))]

    def logits(self, pixels: NDArray[np.uint8], rows: Span, columns: Span, *, size: tuple[int, int]) -> Floats:
        """Logits of a window of a picture: (1, C, ceil(h / stride), ceil(w / stride)) float32.

        Args:
            pixels: (h, w, channels) uint8.
            rows: where the window lies.
            columns: likewise.
            size: (height, width) of the picture.
        """
        place, stride = Place(rows, columns, size), self._runtime.stride
        if self._views == [(1.0, False)]:
            return self._runtime.logits(normalise(pixels, self._preprocessing), place)
        cells = (-(-pixels.shape[0] // stride), -(-pixels.shape[1] // stride))
        views = [self._view(pixels, place, cells, scale, mirrored) for scale, mirrored in self._views]
        mean: Floats = np.mean([softmax(view[0]) for view in views], axis=0)[None]
        # The logarithm of a probability is a logit of it; zero has none.
        return np.log(np.maximum(mean, np.float32(1e-30)))

    def _view(
        self, pixels: NDArray[np.uint8], place: Place, cells: tuple[int, int], scale: float, mirrored: bool
    ) -> Floats:
        if scale != 1:
            pixels = resize_image(pixels, *(max(1, round(side * scale)) for side in pixels.shape[:2]))
        if mirrored:
            pixels, place = pixels[:, ::-1], place.mirrored()
        logits = self._runtime.logits(normalise(pixels, self._preprocessing), place)
        return resized_logits(
            logits[:, self._order, :, ::-1] if mirrored else logits, cells, align_corners=self._runtime.align_corners
        )
