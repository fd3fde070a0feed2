"""How labels are drawn: from pixels and labels to pixels, rows at a time; stills, frames and reports use the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import LabelArray, LabelSpace, check_labels, check_values

Pixels = NDArray[np.uint8]

# Rows are handled in bands of this many, so that temporary arrays stay small next to the picture.
_BAND_ROWS = 64


@dataclass(frozen=True)
class Style:
    """What a user can say about how labels are drawn.

    Attributes:
        space: the classes, with their colours.
        opacity: of the colours, 0 to 1.
        keep: names of the classes that stay.

    Raises:
        UsageError: the opacity is out of range, or there is no such class.
    """

    space: LabelSpace
    opacity: float = 0.5
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.opacity <= 1:
            raise UsageError(f"opacity is between 0 (photo only) and 1 (colours only), not {self.opacity}")
        for name in self.keep:
            self.space.index(name)

    @cached_property
    def kept(self) -> NDArray[np.uint8]:
        """255 for each label that stays, 0 for the others."""
        table = np.zeros(np.iinfo(self.space.dtype).max + 1, dtype=np.uint8)
        table[[self.space.index(name) for name in self.keep]] = 255
        return table


class Follower(Protocol):
    """Draws the pictures of one source in their order, and remembers what it saw in them."""

    def draw(self, pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
        """Draw the next picture; see `Render`."""

    def facts(self) -> dict[str, Any]:
        """Tell what the last picture showed, as plain JSON."""

    def summary(self) -> dict[str, Any]:
        """Tell what all pictures showed, as plain JSON.

        Raises:
            DataError: nothing was there to draw.
        """


@dataclass(frozen=True)
class Render:
    """One way to draw labels.

    Attributes:
        name: on the command line, and in the names of files.
        draw: from pixels (h, W, 3) uint8 RGB, labels (h, W) and the style to pixels (h, W, 3), or RGBA (h, W, 4).
        above: rows above a row that its drawing depends on.
        alpha: it draws RGBA.
        lossless: of stills, it is written as PNG instead of JPEG.
        keeps: it needs the classes that stay.
        whole: it needs whole pictures, not rows of them.
        follow: makes what draws the pictures of one source, where a drawing depends on those before.
    """

    name: str
    draw: Callable[[Pixels, LabelArray, Style], Pixels]
    above: int = 0
    alpha: bool = False
    lossless: bool = False
    keeps: bool = False
    whole: bool = False
    follow: Callable[[], Follower] | None = None

    def begin(self) -> Follower:
        """Make what draws the pictures of one source."""
        return _Each(self.draw) if self.follow is None else self.follow()

    def check(self, style: Style) -> None:
        """Raise a UsageError if classes to keep are missing."""
        if self.keeps and not style.keep:
            raise UsageError(
                f"{self.name} needs the classes that stay: keep (--keep), for instance {style.space.names[0]}"
            )


@dataclass(frozen=True)
class _Each:
    """Draws every picture by itself."""

    draw: Callable[[Pixels, LabelArray, Style], Pixels]

    def facts(self) -> dict[str, Any]:
        return {}

    def summary(self) -> dict[str, Any]:
        return {}


def draw_overlay(pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
    """Blend the labels' colours over a photo; pixels that are no class keep the photo's colour."""
    return blend(pixels, labels, style.space, style.opacity)


def draw_colors(pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
    """Show the labels' colours alone; unlabelled pixels are black."""
    check_values(labels, style.space, "the labels")
    return _colored(labels, style.space)


def draw_outlines(pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
    """Draw a line in the colour of the class below or right of it wherever two classes meet."""
    check_values(labels, style.space, "the outlines")
    edges = np.zeros(labels.shape, dtype=bool)
    edges[1:] |= labels[1:] != labels[:-1]
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    found = pixels.copy()
    found[edges] = style.space.colors()[labels[edges]]
    return found


def draw_alpha(pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
    """Make everything but the classes to keep transparent."""
    return np.dstack([pixels, style.kept[labels]])


RENDERS: dict[str, Render] = {
    render.name: render
    for render in (
        Render("overlay", draw_overlay),
        Render("colors", draw_colors, lossless=True),
        Render("outlines", draw_outlines, above=1),
        Render("alpha", draw_alpha, alpha=True, lossless=True, keeps=True),
    )
}
"""Every way to draw by name."""


def find_render(kind: str | Render) -> Render:
    """Find a render by name; one that is given is taken as it is.

    Raises:
        UsageError: there is no such render; the message suggests the closest.
    """
    if isinstance(kind, Render):
        return kind
    if kind not in RENDERS:
        raise UsageError(f"no render is named {kind!r}.{suggest(kind, RENDERS)}")
    return RENDERS[kind]


def blend(image: NDArray[np.uint8], labels: LabelArray, space: LabelSpace, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Blend the labels' colours over a photo, band by band.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) of `space.dtype`.
        space: gives the colours; pixels that are no class keep the photo's colour.
        opacity: 0 (photo) to 1 (colour).

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: `opacity` is out of range.
        DataError: photo and labels do not fit together.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"opacity is between 0 (photo only) and 1 (colours only), not {opacity}")
    check_labels(labels, space)
    check_photo(image, labels)
    weight = round(opacity * 256) / 256
    result = np.empty_like(image)
    for top in range(0, len(labels), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        check_values(labels[rows], space, "the overlay")
        # Sums are whole 256ths, so that adding less than one of them rounds halves up and nothing else.
        cv2.addWeighted(image[rows], 1 - weight, _colored(labels[rows], space), weight, 1 / 1024, dst=result[rows])
        unknown = labels[rows] >= len(space)
        if unknown.any():
            result[rows][unknown] = image[rows][unknown]
    return result


def _colored(labels: LabelArray, space: LabelSpace) -> Pixels:
    """The colours (H, W, 3) of labels (H, W); what is no class is black."""
    table = space.colors()
    if labels.dtype != np.uint8:
        return np.take(table, labels, axis=0)
    padded = np.zeros((256, 1, 3), np.uint8)
    padded[: len(table), 0] = table
    return np.asarray(cv2.applyColorMap(np.ascontiguousarray(labels), padded), dtype=np.uint8)


def check_photo(image: NDArray[Any], labels: NDArray[Any]) -> None:
    """Raise a DataError unless a photo is (H, W, 3) uint8 of its labels' size."""
    if image.dtype != np.uint8 or image.shape != (*labels.shape, 3):
        raise DataError(
            f"the photo must be {(*labels.shape, 3)} uint8 like its labels, this one is {image.shape} {image.dtype}"
        )
