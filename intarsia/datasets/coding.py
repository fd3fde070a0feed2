"""How the values stored in mask files become class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.labels import Color, LabelArray, LabelSpace

RawMask = NDArray[np.uint8] | NDArray[np.uint16]
"""What `media.images.read_mask` returns: (H, W) stored values, or (H, W, 3) colours."""

_UNKNOWN = -1


@dataclass(frozen=True)
class MaskCoding:
    """The rule from stored mask values to class indices; exactly one of the first three fields is set.

    Args:
        values: stored value -> class index (or the label space's ignore index).
        colors: stored (r, g, b) -> class index (or the ignore index).
        threshold: divides dark from bright, for soft or JPEG-compressed binary masks.
        sides: the labels of values up to the threshold and above it.
        nearest: take a colour that no class has for the closest one; for colour-coded JPEG masks.
        painted: palette files are read by their colours, not by their indices; always so with `colors`.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[Color, int] = field(default_factory=dict)
    threshold: int | None = None
    sides: tuple[int, int] = (0, 1)
    nearest: bool = False
    painted: bool = False

    def __post_init__(self) -> None:
        if bool(self.values) + bool(self.colors) + (self.threshold is not None) != 1:
            raise DataError("a mask coding needs exactly one of: values, colors, threshold")
        object.__setattr__(self, "painted", self.painted or bool(self.colors))

    def decode(self, raw: RawMask, space: LabelSpace) -> LabelArray:
        """Class indices (H, W) of `space.dtype` for one stored mask.

        Args:
            raw: (H, W) values or (H, W, 3) colours, as `read_mask` returns them.
            space: the data set's label space.

        Raises:
            DataError: the mask holds values outside the coding, or is of another kind (colours, not values).
        """
        if self.colors:
            return self._decode_colors(raw, space)
        plane = gray_plane(raw)
        if self.threshold is not None:
            bright = raw.mean(axis=2) if plane is None else plane  # black and white, but not quite gray
            return np.where(bright > self.threshold, self.sides[1], self.sides[0]).astype(space.dtype)
        if plane is None:
            raise DataError(
                f"the mask is colour-coded, but this data set's masks hold class values; "
                f"its colours are {color_shares(raw)}. Export it as an index or grayscale PNG like the others"
            )
        table = self._value_table
        if plane.dtype == space.dtype == np.uint8 and (table[: int(plane.max(initial=0)) + 1] != _UNKNOWN).all():
            return np.asarray(cv2.LUT(plane, self._byte_table), dtype=np.uint8)  # the commonest case, and much faster
        labels = table[plane if plane.max(initial=0) < len(table) else np.minimum(plane, len(table) - 1)]
        if labels.min(initial=0) == _UNKNOWN:
            raise DataError(
                f"the mask holds {value_list(tally(plane[labels == _UNKNOWN]))}, which no class of this data set has "
                f"(known: {number_list(self.values)}). Correct the mask, name these classes (classes), or leave the "
                f"values out (ignore)"
            )
        return labels.astype(space.dtype)

    def count(self, histogram: NDArray[np.int64], space: LabelSpace) -> NDArray[np.int64]:
        """Pixels per label for a histogram of stored values: `len(space) + 2` numbers.

        The last two are the ignored pixels and those whose value has no class. Not for colour codings.
        """
        if self.threshold is not None:
            above = int(histogram[self.threshold + 1 :].sum())
            pixels = np.zeros(len(space) + 2, dtype=np.int64)
            for side, count in zip(self.sides, (int(histogram.sum()) - above, above), strict=True):
                pixels[min(side, len(space))] += count
            return pixels
        size = len(space)
        slots = np.full(len(histogram), size + 1)
        for value, label in self.values.items():
            if value < len(slots):
                slots[value] = label if label < size else size
        return np.bincount(slots, weights=histogram, minlength=size + 2).astype(np.int64)

    @cached_property
    def _value_table(self) -> NDArray[np.int32]:
        # One spare entry past the largest known value, so that larger values can be clipped onto "unknown".
        table = np.full(max(max(self.values) + 2, 256), _UNKNOWN, dtype=np.int32)
        for value, label in self.values.items():
            table[value] = label
        return table

    @cached_property
    def _byte_table(self) -> NDArray[np.uint8]:
        return self._value_table[:256].astype(np.uint8)

    def _decode_colors(self, raw: RawMask, space: LabelSpace) -> LabelArray:
        if raw.ndim != 3:
            if not all((value, value, value) in self.colors for value in tally(raw)):  # not an all-black mask, say
                raise DataError(
                    "the mask holds single values, but this data set's masks are colour-coded (RGB); "
                    "export it with the same colours as the others"
                )
            raw = np.repeat(raw.astype(np.uint8)[..., None], 3, axis=2)
        codes = np.array(sorted(_code(color) for color in self.colors), dtype=np.uint32)
        by_code = {_code(color): label for color, label in self.colors.items()}
        targets = np.array([by_code[int(code)] for code in codes], dtype=np.int32)
        pixels = color_codes(raw)
        slots = np.minimum(np.searchsorted(codes, pixels), len(codes) - 1)
        unknown = codes[slots] != pixels
        if self.nearest:
            slots[unknown] = _closest(pixels[unknown], codes)
        elif unknown.any():
            shares = color_shares(raw, only=unknown)
            raise DataError(
                f"the mask holds colours that no class of this data set has: {shares}. Correct the mask, or add the "
                f"missing colours to the classes and the palette"
            )
        return targets[slots].astype(space.dtype)

    def mapped(self, table: LabelArray) -> MaskCoding:
        """The coding that gives `table[label]` where this one gives `label`."""
        return replace(
            self,
            values={value: int(table[label]) for value, label in self.values.items()},
            colors={color: int(table[label]) for color, label in self.colors.items()},
            sides=(int(table[self.sides[0]]), int(table[self.sides[1]])) if self.threshold is not None else (0, 1),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form: {"values": [[value, label], ...]}, {"colors": [[r, g, b, label], ...]} or a threshold."""
        if self.colors:
            return {"colors": [[*color, label] for color, label in self.colors.items()], "nearest": self.nearest}
        painted = {"painted": True} if self.painted else {}
        if self.threshold is not None:
            return {"threshold": self.threshold, "sides": list(self.sides)} | painted
        return {"values": [[value, label] for value, label in self.values.items()]} | painted

    @classmethod
    def from_json(cls, value: Any) -> MaskCoding:
        """Read `to_json`'s form.

        Raises:
            DataError: the value is not a mask coding.
        """
        try:
            painted = "painted" in value and bool(value["painted"])
            if "threshold" in value:
                dark, bright = value.get("sides", (0, 1))
                return cls(threshold=int(value["threshold"]), sides=(int(dark), int(bright)), painted=painted)
            if "colors" in value:
                colors = {(int(r), int(g), int(b)): int(label) for r, g, b, label in value["colors"]}
                return cls(colors=colors, nearest=bool(value.get("nearest", False)))
            return cls(values={int(stored): int(label) for stored, label in value["values"]}, painted=painted)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a mask coding: {error!r}") from error


def _closest(pixels: NDArray[np.uint32], codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The index of the code whose colour is closest (in RGB) to each pixel's."""
    found, inverse = np.unique(pixels, return_inverse=True)
    closest = np.empty(len(found), dtype=np.intp)
    palette = _channels(codes)
    for start in range(0, len(found), 4096):
        offset = _channels(found[start : start + 4096])[:, None] - palette
        closest[start : start + 4096] = (offset**2).sum(axis=2).argmin(axis=1)
    return closest[inverse]


def _channels(codes: NDArray[np.uint32]) -> NDArray[np.int32]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.int32)


def gray_plane(raw: RawMask) -> RawMask | None:
    """The (H, W) values of a mask, also when it is stored as RGB with three equal channels; None for true colours."""
    if raw.ndim == 2:
        return raw
    first = raw[..., 0]
    if np.array_equal(first, raw[..., 1]) and np.array_equal(first, raw[..., 2]):
        return cast(RawMask, np.ascontiguousarray(first))
    return None


def tally(numbers: NDArray[Any]) -> dict[int, int]:
    """How often each number occurs."""
    found, counts = np.unique(numbers, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def color_codes(raw: RawMask) -> NDArray[np.uint32]:
    """(H, W, 3) colours as (H, W) numbers 0xRRGGBB."""
    wide = raw.astype(np.uint32)
    codes = (wide[..., 0] << np.uint32(16)) | (wide[..., 1] << np.uint32(8)) | wide[..., 2]
    return codes.astype(np.uint32, copy=False)


def color_of(code: int) -> Color:
    """The colour of a number 0xRRGGBB."""
    return code >> 16, code >> 8 & 255, code & 255


def color_shares(raw: RawMask, only: NDArray[np.bool_] | None = None, most: int = 8) -> str:
    """The commonest colours of a mask in words, with their share of all pixels."""
    codes = color_codes(raw)
    return share_list(tally(codes if only is None else codes[only]), codes.size, most)


def share_list(counts: Mapping[int, int], total: int, most: int = 8) -> str:
    """Colour codes with their share, commonest first: `(0, 0, 0) 81.2%, (128, 0, 0) 18.8%`."""
    order = sorted(counts, key=lambda code: (-counts[code], code))
    shown = [f"{color_of(code)} {percent(counts[code], total)}" for code in order[:most]]
    return ", ".join(shown) + (f" and {len(order) - most} more" if len(order) > most else "")


def percent(part: int, total: int) -> str:
    """A share in words: "12.3%", or "<0.1%" for what would round to nothing."""
    share = 100 * part / max(total, 1)
    return "<0.1%" if 0 < share < 0.05 else f"{share:.1f}%"


def value_list(counts: Mapping[int, int], most: int = 8) -> str:
    """Stored values with their pixel counts in words: `value 12 (40 pixels)`."""
    shown = [f"{value} ({counts[value]} pixels)" for value in sorted(counts)[:most]]
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return ("value " if len(counts) == 1 else "values ") + ", ".join(shown) + more


def number_list(numbers: Mapping[int, Any] | list[int], most: int = 12) -> str:
    """Numbers in order, runs shortened: `0-10, 255`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" if b > a + 1 else f"{a}, {b}" for a, b in runs]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def _code(color: Color) -> int:
    return color[0] << 16 | color[1] << 8 | color[2]
