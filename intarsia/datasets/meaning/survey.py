"""Survey: what a set of masks was found to hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

MOST_COLORS = 1024
"""More than any palette; beyond it the file is a photo, or was saved as JPEG."""


@dataclass
class Survey:
    """What the masks read so far hold.

    Attributes:
        values: pixels per gray value.
        flat: those of them whose eight neighbours hold the same value.
        painted: pixels per index and colour (0xRRGGBB) of palette files.
        painted_flat: likewise.
        colors: pixels per colour of files without a palette.
        binary: how many masks hold nothing but 0, 1 and 255, by the ones of these that each holds.
        counts: how many masks hold the numbers from 1 to some number, with or without 0, by that number; 0 of others.
        files: masks looked at.
        jpegs: those of them that are JPEG files.
        twins: a palette gives one colour to several of the indices that its file uses.
        nodata: values that files declare to be no data.
        nowhere: numbers that no class can have, in words; their pixels are counted as 65535.
        void: colours that mean "not labelled", as palettes have them at the index 255.
        unreadable: what is wrong with masks that cannot be read.
    """

    values: Counter[int] = field(default_factory=Counter)
    flat: Counter[int] = field(default_factory=Counter)
    painted: Counter[tuple[int, int]] = field(default_factory=Counter)
    painted_flat: Counter[tuple[int, int]] = field(default_factory=Counter)
    colors: Counter[int] = field(default_factory=Counter)
    binary: Counter[frozenset[int]] = field(default_factory=Counter)
    counts: Counter[int] = field(default_factory=Counter)
    files: int = 0
    jpegs: int = 0
    twins: bool = False
    nodata: set[int] = field(default_factory=set)
    nowhere: set[str] = field(default_factory=set)
    void: set[int] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def add(self, other: Survey) -> None:
        """Take over another survey's counts."""
        self.values.update(other.values)
        self.flat.update(other.flat)
        self.painted.update(other.painted)
        self.painted_flat.update(other.painted_flat)
        self.colors.update(other.colors)
        if len(self.colors) > 4 * MOST_COLORS:
            self.colors = Counter(dict(self.colors.most_common(MOST_COLORS)))
        self.binary.update(other.binary)
        self.counts.update(other.counts)
        self.files += other.files
        self.jpegs += other.jpegs
        self.twins |= other.twins
        self.nodata |= other.nodata
        self.nowhere |= other.nowhere
        self.unreadable += other.unreadable

    def by_index(self) -> Survey:
        """Palette files counted by their indices, like gray ones."""
        values, flat = Counter(self.values), Counter(self.flat)
        for counts, painted in ((values, self.painted), (flat, self.painted_flat)):
            for (index, _), pixels in painted.items():
                counts[index] += pixels
        return replace(self, values=values, flat=flat, painted=Counter(), painted_flat=Counter())

    def by_color(self) -> Survey:
        """Palette files counted by their colours; by gray values where all colours are gray."""
        values, flat, colors = Counter(self.values), Counter(self.flat), Counter(self.colors)
        gray = not colors and all(is_gray(color) for _, color in self.painted)
        for (_, color), pixels in self.painted.items():
            (values if gray else colors)[color & 255 if gray else color] += pixels
        for (_, color), pixels in self.painted_flat.items():
            flat[color & 255] += pixels if gray else 0
        return replace(self, values=values, flat=flat, colors=colors, painted=Counter(), painted_flat=Counter())

    def without(self, values: set[int]) -> Survey:
        """The same without some gray values."""
        kept = Counter({value: pixels for value, pixels in self.values.items() if value not in values})
        return replace(self, values=kept)


def is_gray(color: int) -> bool:
    """Whether a colour 0xRRGGBB is a gray level."""
    return color >> 16 == color >> 8 & 255 == color & 255
