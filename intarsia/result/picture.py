"""Segmentation: a picture's labels, and what can be made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray, LabelSpace, check_labels
from intarsia.media.png import MaskWriter
from intarsia.result.contract import Result
from intarsia.result.renders import Render, Style, check_photo, find_render


@dataclass(eq=False)
class Segmentation(Result):
    """One picture's labels, at the picture's own size.

    Args:
        labels: (H, W) class indices of `space.dtype`; `space.ignore_index` where nothing is known.
        space: the classes that the labels refer to.
        confidence: (H, W) float16, the winning class's softmax probability (0..1), if asked for.
        source: path or display name of what was segmented.
        image: (H, W, 3) uint8 RGB, the picture itself, for `render`.

    Raises:
        DataError: the arrays do not fit together.
    """

    labels: LabelArray
    space: LabelSpace
    confidence: NDArray[np.float16] | None = None
    source: str = ""
    image: NDArray[np.uint8] | None = None
    medium: ClassVar[str] = "picture"

    def __post_init__(self) -> None:
        check_labels(self.labels, self.space)
        if self.confidence is not None and self.confidence.shape != self.labels.shape:
            raise DataError(f"confidence {self.confidence.shape} and labels {self.labels.shape} differ in size")
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

    @property
    def size(self) -> tuple[int, ...]:
        """Width and height."""
        return self.width, self.height

    def render(
        self,
        kind: str | Render = "overlay",
        *,
        opacity: float = 0.5,
        keep: tuple[str, ...] = (),
        image: NDArray[np.uint8] | Image.Image | None = None,
    ) -> Image.Image:
        """Draw the labels.

        Args:
            kind: a name from `result.renders.RENDERS`, or a render of your own.
            opacity: of an overlay, 0 shows the photo alone, 1 the colours alone.
            keep: of "alpha", names of the classes that stay.
            image: the photo (H, W, 3) uint8 RGB or a PIL picture, when this result does not hold it.

        Raises:
            UsageError: no such render or class, there is no photo, or `opacity` is out of range.
            DataError: the photo has another size than the labels.
        """
        render, style = find_render(kind), Style(self.space, opacity, tuple(keep))
        render.check(style)
        if image is None:
            image = self.image
        if image is None:
            raise UsageError(f"this result does not hold its photo; pass it: render({render.name!r}, image=photo)")
        photo = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
        check_photo(photo, self.labels)
        return Image.fromarray(render.draw(photo, self.labels, style))

    def overlay(self, opacity: float = 0.5, image: NDArray[np.uint8] | Image.Image | None = None) -> Image.Image:
        """Blend the labels' colours over the photo; see `render`."""
        return self.render("overlay", opacity=opacity, image=image)

    def colors(self) -> Image.Image:
        """Show the labels in their palette's colours; unlabelled pixels are black."""
        return self.render("colors", image=np.zeros((*self.labels.shape, 3), dtype=np.uint8))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as an index mask: palette PNG, or 16-bit gray PNG above 256 values. See `MaskWriter`."""
        with MaskWriter(path, self.width, self.height, self.space) as writer:
            writer.write(self.labels)
