"""LabelSpace: the classes of a data set or model, their colours, and what "not labelled" is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest

Color = tuple[int, int, int]
LabelArray = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class LabelSpace:
    """Class names in index order, one colour each, and the index that marks elements without a label.

    A label space travels with data sets, bundles and results. Two spaces are related by class *name*, never by
    position: see `lookup_from`.

    Args:
        names: class names, unique, in index order.
        palette: one RGB colour (0..255) per class; `()` picks well separated ones.
        ignore_index: label of elements that nothing is known about; -1 picks 255, or 65535 from 256 classes on.
    """

    names: tuple[str, ...]
    palette: tuple[Color, ...] = ()
    ignore_index: int = -1

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            raise DataError(f"class names must be a list of texts, not the single text {self.names!r}")
        names = tuple(str(name) for name in self.names)
        if not names:
            raise DataError("a label space needs at least one class")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DataError(f"class names must be unique; repeated: {', '.join(repeated)}")
        if any(len(color) != 3 for color in self.palette):
            raise DataError("palette colours are three numbers each: red, green and blue")
        palette = tuple((int(r), int(g), int(b)) for r, g, b in self.palette) or distinct_colors(len(names))
        if len(palette) != len(names):
            raise DataError(f"{len(palette)} colours for {len(names)} classes; give one colour a class, or none at all")
        if any(not 0 <= channel <= 255 for color in palette for channel in color):
            raise DataError("palette colours are RGB values from 0 to 255")
        ignore = self.ignore_index if self.ignore_index >= 0 else (255 if len(names) <= 255 else 65535)
        if ignore < len(names) or ignore > 65535:
            raise DataError(f"ignore_index {ignore} must lie above the {len(names)} class indices and at most at 65535")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "palette", palette)
        object.__setattr__(self, "ignore_index", ignore)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every class index and the ignore index."""
        return np.dtype(np.uint8 if max(self.ignore_index, len(self) - 1) <= 255 else np.uint16)

    @cached_property
    def mirrored(self) -> tuple[tuple[int, int], ...]:
        """Pairs of numbers of classes that change places in a mirrored picture; see `mirrored_pairs`."""
        return tuple((self.index(left), self.index(right)) for left, right in mirrored_pairs(self.names))

    def index(self, name: str) -> int:
        """Index of a class by name.

        Raises:
            UsageError: no such class; the message suggests the closest name.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise UsageError(f"no class is named {name!r}.{suggest(name, self.names)}") from None

    def colors(self) -> NDArray[np.uint8]:
        """Lookup table (ignore_index + 1, 3) from label to RGB; everything that is not a class is black."""
        table = np.zeros((max(self.ignore_index, len(self) - 1) + 1, 3), dtype=np.uint8)
        table[: len(self)] = self.palette
        return table

    def lookup_from(self, other: LabelSpace, rename: Mapping[str, str] | None = None) -> LabelArray:
        """Lookup table from `other`'s labels to this space's, matched by name.

        Args:
            other: the space the labels are in now.
            rename: optional map from a name in `other` to a name here (for instance {"sidewalk": "pavement"}).

        Returns:
            Array of `other.ignore_index + 1` entries; classes without a counterpart become `ignore_index`.
        """
        rename = rename or {}
        table = np.full(other.ignore_index + 1, self.ignore_index, dtype=self.dtype)
        for index, name in enumerate(other.names):
            target = rename.get(name, name)
            if target in self.names:
                table[index] = self.names.index(target)
            elif name in rename:
                self.index(target)
        return table

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "names": list(self.names),
            "palette": [list(color) for color in self.palette],
            "ignore_index": self.ignore_index,
        }

    @classmethod
    def from_json(cls, value: Any) -> LabelSpace:
        """Read `to_json`'s form.

        Raises:
            DataError: the value is not a label space.
        """
        try:
            palette: Sequence[Iterable[int]] = value.get("palette", ())
            return cls(
                value["names"],
                tuple((int(r), int(g), int(b)) for r, g, b in palette),
                int(value.get("ignore_index", -1)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a label space: {error!r}") from error


_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l", "lh": "rh", "rh": "lh"}


def mirrored_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Find classes that change places in a mirrored picture: their names differ in left and right alone.

    Words are read whatever parts them, `leftKidney` like `kidney, left` and `l_kidney`; one of a pair alone is none.

    Args:
        names: of all classes.

    Returns:
        (left, right) each, in the order of the left ones.
    """
    parted = {_words(name): name for name in names}
    pairs = []
    for words, name in parted.items():
        other = parted.get(tuple(_OTHER_SIDE.get(word, word) for word in words))
        if other not in (None, name) and next(word for word in words if word in _OTHER_SIDE).startswith("l"):
            pairs.append((name, str(other)))
    return pairs


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))


def distinct_colors(count: int) -> tuple[Color, ...]:
    """Well separated colours, the first of them safe for colour-blind readers (Okabe & Ito 2008)."""
    base: list[Color] = [
        (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167),
        (86, 180, 233), (213, 94, 0), (240, 228, 66), (120, 94, 200),
    ]  # fmt: skip
    golden = 0.61803398875
    for step in range(len(base), count):
        hue = step * golden % 1.0
        value = 0.95 - 0.3 * (step % 3) / 2
        base.append(_rgb(hue, 0.55 + 0.4 * (step % 2), value))
    return tuple(base[:count])


def _rgb(hue: float, saturation: float, value: float) -> Color:
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def check_labels(labels: NDArray[Any], space: LabelSpace) -> None:
    """Raise a DataError unless `labels` are (H, W) of the label space's type."""
    if labels.ndim != 2 or labels.dtype != space.dtype:
        raise DataError(
            f"labels must be (H, W) of {space.dtype} for this label space, these are {labels.shape} of {labels.dtype}"
        )


def check_values(labels: NDArray[Any], space: LabelSpace, target: str) -> None:
    """Raise a DataError that names `target` if a label is outside the label space."""
    if int(labels.max(initial=0)) < len(space):
        return
    wrong = labels[(labels >= len(space)) & (labels != space.ignore_index)]
    if wrong.size:
        raise DataError(
            f"cannot draw {target}: label {int(wrong[0])} is outside the label space, whose classes are "
            f"0..{len(space) - 1} and {space.ignore_index} for unlabelled"
        )
