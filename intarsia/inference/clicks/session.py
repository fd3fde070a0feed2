"""ClickSession: labels that are corrected by clicks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError, suggest
from intarsia.inference.clicks.contract import ClickModel
from intarsia.inference.clicks.fallbacks import GrabCut, Walker
from intarsia.inference.clicks.network import ClickNetwork
from intarsia.inference.clicks.region import EVEN, connected, ends_inside, settled, trusted
from intarsia.inference.clicks.square import Box, Halves, Square
from intarsia.inference.clicks.view import RADIUS, Mask, View
from intarsia.labels import LabelArray, LabelSpace, check_labels, check_values
from intarsia.media.pixels import RGB

METHODS: dict[str, Callable[[], ClickModel]] = {"network": ClickNetwork, "grabcut": GrabCut, "walker": Walker}
"""What decides how far a click reaches, by name."""

_COARSE = 256  # along the longer side, in which the extent of a region is found
_AROUND = 1.3  # of a region's longer side: what is seen of what is around it
_CLOSER = 1.6  # the same, of what was found to move
_LEAST_SHARE, _LEAST = 1 / 12, 64  # of the picture's longer side, and pixels: never is less seen
_LOOKS = 3
_WORTH = 0.7  # a closer look is taken where it shows less than this share of the side

Pixel = tuple[int, int]


@dataclass(frozen=True)
class Changed:
    """What a click did.

    Attributes:
        box: left, top, right and bottom in pixels, right and bottom exclusive, around all that changed; all 0 where
            nothing did.
        labels: (bottom - top, right - left), the labels of the box now.
    """

    box: Box
    labels: LabelArray


@dataclass(frozen=True)
class _Step:
    """What `undo` takes back: the labels of a box, and the clicks, before a click."""

    box: Box
    labels: LabelArray
    clicks: dict[Pixel, int]


class ClickSession:
    """Corrects a label map: each click says which class the region around a pixel has.

    A click changes pixels that are connected to it at the scale at which it was looked at; never those of locked
    classes, never a pixel that was clicked before with another class, and nothing where the class is already. The
    clicked pixel always gets its class.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W), the labels so far, of the space's type; they are copied.
        space: the classes.
        locked: names or indices of classes whose pixels stay what they are; `lock` changes them.
        method: "network", the bundled one; "grabcut"; "walker", the random walker, which needs scikit-image; or a model
            of your own (see `ClickModel` and `OwnClicks`).

    Raises:
        DataError: the labels do not fit the space.
        UsageError: picture and labels differ in size, no class or method has such a name, or scikit-image is missing.
    """

    def __init__(
        self,
        image: RGB,
        labels: LabelArray,
        space: LabelSpace,
        *,
        locked: Collection[str | int] = (),
        method: str | ClickModel = "network",
    ) -> None:
        check_labels(labels, space)
        check_values(labels, space, "labels")
        if image.shape[:2] != labels.shape:
            raise UsageError(
                f"the picture has {image.shape[1]}x{image.shape[0]} pixels, the labels {labels.shape[1]}x"
                f"{labels.shape[0]}: clicks need labels of the picture's own size"
            )
        if isinstance(method, str) and method not in METHODS:
            raise UsageError(f"clicks cannot be decided by {method!r}.{suggest(method, METHODS)}")
        self.space = space
        self._model = METHODS[method]() if isinstance(method, str) else method
        self._halves = Halves(image)
        self._labels = labels.copy()
        self._locked = np.zeros(np.iinfo(space.dtype).max + 1, bool)
        self._clicks: dict[Pixel, int] = {}
        self._steps: list[_Step] = []
        self.lock(locked)

    @property
    def labels(self) -> LabelArray:
        """The labels now, (H, W); not to be written to."""
        shown = self._labels.view()
        shown.flags.writeable = False
        return shown

    @property
    def clicks(self) -> tuple[tuple[int, int, int], ...]:
        """Column, row and class of the clicks that count, oldest first."""
        return tuple((x, y, kind) for (x, y), kind in self._clicks.items())

    @property
    def steps(self) -> int:
        """How many clicks `undo` can take back."""
        return len(self._steps)

    @property
    def bytes(self) -> int:
        """The memory that pictures, labels and steps come to hold, about."""
        return self._halves.bytes + self._labels.nbytes + sum(step.labels.nbytes for step in self._steps)

    def lock(self, classes: Collection[str | int]) -> None:
        """Lock these classes and no others.

        Raises:
            UsageError: there is no such class.
        """
        indices = [self._index(one) for one in classes]
        self._locked[:] = False
        self._locked[indices] = True

    def relabel(self, labels: LabelArray, clicks: Iterable[tuple[int, int, int]] = ()) -> None:
        """Take other labels, that were corrected by other means; steps are forgotten.

        Args:
            labels: (H, W).
            clicks: column, row and class of those that were made before; those count with which the labels agree.

        Raises:
            DataError: the labels do not fit the space.
            UsageError: they have another size, or a click is outside.
        """
        check_labels(labels, self.space)
        check_values(labels, self.space, "labels")
        if labels.shape != self._labels.shape:
            size, given = (" x ".join(map(str, shape[::-1])) for shape in (self._labels.shape, labels.shape))
            raise UsageError(f"the picture has {size} pixels, the labels {given}")
        known = {self._pixel(x, y): kind for x, y, kind in clicks}
        self._labels, self._steps = labels.copy(), []
        self._clicks = {(x, y): kind for (x, y), kind in known.items() if labels[y, x] == kind}

    def click(self, x: float, y: float, cls: str | int) -> Changed:
        """Say that the region around a pixel has a class.

        Args:
            x: column; whole numbers are the middles of pixels.
            y: row.
            cls: name or index of the class.

        Raises:
            UsageError: the pixel is outside the picture, there is no such class, or it or the pixel's is locked.
        """
        kind, (column, row) = self._index(cls), self._pixel(x, y)
        now = int(self._labels[row, column])
        for one in (kind, now):
            if self._locked[one]:
                raise UsageError(f"{self._named(one)} is locked: unlock it, or click with another class elsewhere")
        before = dict(self._clicks)
        self._clicks.pop((column, row), None)
        self._clicks[column, row] = kind
        box, labels = self._moved((column, row), kind) if now != kind else ((0, 0, 0, 0), self._labels[:0, :0])
        left, top, right, bottom = box
        self._steps.append(_Step(box, self._labels[top:bottom, left:right].copy(), before))
        self._labels[top:bottom, left:right] = labels
        return Changed(box, labels.copy())

    def undo(self) -> Changed:
        """Take the newest click back: labels and clicks are exactly what they were.

        Raises:
            UsageError: there was no click.
        """
        if not self._steps:
            raise UsageError("there is no click to undo")
        step = self._steps.pop()
        left, top, right, bottom = step.box
        self._labels[top:bottom, left:right] = step.labels
        self._clicks = step.clicks
        return Changed(step.box, step.labels.copy())

    def _moved(self, pixel: Pixel, kind: int) -> tuple[Box, LabelArray]:
        """The box of what changes by a click, and its labels after it."""
        square, likely, least = self._looked(pixel, kind)
        left, top, right, bottom = square.box(likely > 0, self._labels.shape)
        left, top = min(left, pixel[0]), min(top, pixel[1])
        right, bottom = max(right, pixel[0] + 1), max(bottom, pixel[1] + 1)
        old = self._labels[top:bottom, left:right]
        change = square.spread(likely, (left, top, right, bottom)) >= least
        change &= (old != kind) & ~self._locked[old]
        for (x, y), other in self._clicks.items():
            if other != kind and left <= x < right and top <= y < bottom:
                change[y - top, x - left] = False
        change[pixel[1] - top, pixel[0] - left] = True
        rows, columns = (np.flatnonzero(change.any(axis=axis)) for axis in (1, 0))
        within = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        made = np.where(change[within], old.dtype.type(kind), old[within])
        return (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1), made

    def _looked(self, pixel: Pixel, kind: int) -> tuple[Square, NDArray[np.uint8], int]:
        """Look at the region of a click, closer as long as what moves is small.

        Returns:
            What was looked at; how likely its cells move, (S, S) in 0..255; and from where on they do.
        """
        size = self._labels.shape
        longest = max(size)
        coarse = Square.around((0, 0, size[1], size[0]), longest, size, _COARSE)
        labels, inside = coarse.labels(self._labels)
        least_length = min(max(_LEAST, longest * _LEAST_SHARE), longest)
        box, length = (0, 0, size[1], size[0]), float(longest)
        if not self._model.whole:
            alike = (labels == self._labels[pixel[1], pixel[0]]) & inside
            box = coarse.box(connected(alike, coarse.cell(*pixel)), size)
            length = min(max(_AROUND * _longer(box), least_length), longest)
        for look in range(_LOOKS):
            square = self._holding(box, length, pixel)
            view, free = self._view(square, pixel, kind)
            likely, cell = self._model.probability(view), square.cell(*pixel)
            part = connected((likely >= EVEN) & free, cell)
            box = square.box(part, size)
            closer = max(_CLOSER * _longer(box), least_length)
            last = self._model.whole or look == _LOOKS - 1
            if last or closer > _WORTH * length or not ends_inside(part, view.inside):
                break
            length = closer
        is_new = not (self._labels == kind).any()
        part, least = trusted(view, likely, free, cell, self._model.trust, is_new=is_new)
        return square, *settled(likely, part, view.same, least)

    def _holding(self, box: Box, length: float, pixel: Pixel) -> Square:
        """A square around a box that shows the pixel."""
        size = self._labels.shape
        square = Square.around(box, length, size, self._model.side)
        return square if square.holds(*pixel) else Square.around((*pixel, *pixel), length, size, self._model.side)

    def _view(self, square: Square, pixel: Pixel, kind: int) -> tuple[View, Mask]:
        """What the model sees of a square, and what may move of it."""
        labels, inside = square.labels(self._labels)
        column, row = square.cell(*pixel)
        labels[row, column] = now = self._labels[pixel[1], pixel[0]]
        same = (labels == kind) & inside
        yes: list[tuple[float, float]] = []
        no: list[tuple[float, float]] = []
        free = inside & ~same & ~self._locked[labels]
        rows, columns = np.ogrid[: square.cells, : square.cells]
        for (x, y), other in self._clicks.items():
            if square.holds(x, y):
                across, down = square.to_cells(x, y)
                (yes if other == kind else no).append((across, down))
                if other != kind:
                    reach = min(RADIUS, np.hypot(across - column, down - row) / 2)
                    free &= np.hypot(columns - across, rows - down) > reach
        source = connected((labels == now) & inside, (column, row))
        return View(self._halves.cut(square), same, source, inside, tuple(yes), tuple(no)), free

    def _index(self, cls: str | int) -> int:
        index = self.space.index(cls) if isinstance(cls, str) else int(cls)
        if not 0 <= index < len(self.space):
            raise UsageError(f"there is no class {index}: the classes are 0 to {len(self.space) - 1}")
        return index

    def _named(self, index: int) -> str:
        return f"class {self.space.names[index]!r}" if index < len(self.space) else "what has no label"

    def _pixel(self, x: float, y: float) -> Pixel:
        height, width = self._labels.shape
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise UsageError(f"the click ({x:g}, {y:g}) is outside the picture of {width}x{height} pixels")
        return min(int(x + 0.5), width - 1), min(int(y + 0.5), height - 1)


def _longer(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])
