"""Segmentation: a picture's labels, and what can be made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray, LabelSpace, check_labels, check_values
from intarsia.media.png import MaskWriter
from intarsia.result.renders import blend, check_photo

if TYPE_CHECKING:
    from PIL import Image

# Rows are handled in bands of this many, so that temporary arrays stay small next to the picture.
_BAND_ROWS = 64


@dataclass(eq=False)
class Segmentation:
    """One picture's labels, at the picture's own size.

    Args:
        labels: (H, W) class indices of `space.dtype`; `space.ignore_index` where nothing is known.
        space: the classes that the labels refer to.
        scores: (H, W) float16, the winning class's softmax probability (0..1), if asked for.
        source: path or display name of what was segmented.
        image: (H, W, 3) uint8 RGB, the picture itself, for `overlay`.

    Raises:
        DataError: the arrays do not fit together.
    """

    labels: LabelArray
    space: LabelSpace
    scores: NDArray[np.float16] | None = None
    source: str = ""
    image: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        check_labels(self.labels, self.space)
        if self.scores is not None and self.scores.shape != self.labels.shape:
            raise DataError(f"scores {self.scores.shape} and labels {self.labels.shape} differ in size")
        if self.image is not None:
            check_photo(self.image, self.labels)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.labels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.labels.shape[1])

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Mask (H, W) of one class by its name; `UsageError` with a suggestion when there is no such class."""
        return np.equal(self.labels, self.space.index(name))

    def areas(self) -> dict[str, float]:
        """Share of all pixels (0..1) of each class that occurs, largest first."""
        counts = np.zeros(65536, dtype=np.int64)
        for top in range(0, self.height, _BAND_ROWS):
            found = np.bincount(self.labels[top : top + _BAND_ROWS].ravel())
            counts[: len(found)] += found
        shares = {name: int(counts[i]) / self.labels.size for i, name in enumerate(self.space.names) if counts[i]}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def colors(self) -> Image.Image:
        """The labels in their palette's colours, as an RGB picture; unlabelled pixels are black."""
        from PIL import Image

        check_values(self.labels, self.space, "the labels")
        return Image.fromarray(self.space.colors()[self.labels])

    def overlay(self, opacity: float = 0.5, image: NDArray[np.uint8] | Image.Image | None = None) -> Image.Image:
        """The photo with the labels' colours blended over it; unlabelled pixels stay as they are.

        Args:
            opacity: 0 shows the photo alone, 1 the colours alone.
            image: the photo (H, W, 3) uint8 RGB or a PIL picture, when this result does not hold it.

        Raises:
            UsageError: there is no photo, or `opacity` is out of range.
            DataError: the photo has another size than the labels.
        """
        from PIL import Image

        if image is None:
            image = self.image
        if image is None:
            raise UsageError("this result does not hold its photo; pass it: overlay(image=photo)")
        photo = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
        return Image.fromarray(blend(photo, self.labels, self.space, opacity))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as an index mask: palette PNG, or 16-bit gray PNG above 256 values. See `MaskWriter`."""
        with MaskWriter(path, self.width, self.height, self.space) as writer:
            writer.write(self.labels)
