"""PageLines: the lines of one page, and what can be made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations import AnnotatedImage, Shape
from intarsia.annotations.formats.page.writing import write_alto, write_page
from intarsia.annotations.geometry import Polygon, Polyline
from intarsia.apps.handwriting.crops import write_crops
from intarsia.errors import UsageError, counted
from intarsia.files import encoded, write_json
from intarsia.labels import LabelSpace
from intarsia.media.source import PixelSource
from intarsia.result import Render, Result, Segmentation
from intarsia.result.contract import areas, count

Points = NDArray[np.float64]

_MOST_LOST = 0.5  # share of the ink in no line, from which on the page may be none
_ALL_LOST, _MUCH_LOST = 0.9, 0.3  # from which on it is none; and where most lines have next to no ink
_EMPTY = 0.6  # share of the lines, likewise; of 55 pages of writing none had more than 0.14
_PIECES = 50  # in no line, from which on there is anything to judge by: on a faint page hardly any ink is found

SPACE = LabelSpace(
    ("background", "line", "next line", "baseline"), ((255, 255, 255), (38, 84, 190), (20, 140, 70), (200, 30, 40))
)


@dataclass(frozen=True, eq=False)
class Line:
    """One line of writing; coordinates are pixels of the page, x to the right, y down.

    Attributes:
        baseline: (n, 2) what the letters stand on, from left to right.
        outline: (n, 2) corners around its ink, without crossings.
        height: of its letters, tails left out.
        words: (4, 2) corners of each word's box, from left to right; empty unless they were asked for.
        is_box: no ink was found, so that the outline is a band around its middle.
    """

    baseline: Points
    outline: Points
    height: float
    words: tuple[Points, ...] = ()
    is_box: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "baseline": self.baseline.tolist(), "outline": self.outline.tolist(), "height": round(self.height, 1),
            "words": [word.tolist() for word in self.words], "is_box": self.is_box,
        }  # fmt: skip


@dataclass(eq=False)
class PageLines(Result):
    """The lines of one page in reading order.

    Args:
        regions: columns and blocks in reading order, each of them its lines.
        reader: the opened page.
        thumbnail: (h, w, 3) uint8 RGB, the page at the size that it is drawn in.
        pieces: how many connected pieces of ink the page has, dust and ruled lines left out.
        lost: how many of those are in no line.
        lost_share: their share of the ink, 0..1.
        with_words: whether words were looked for.
        doubt: why its lines may be none of writing; "" if nothing speaks against it.
    """

    regions: tuple[tuple[Line, ...], ...]
    reader: PixelSource
    thumbnail: NDArray[np.uint8]
    pieces: int = 0
    lost: int = 0
    lost_share: float = 0.0
    with_words: bool = False
    doubt: str = ""
    medium: ClassVar[str] = "handwriting"

    def __post_init__(self) -> None:
        self.space, self.confidence = SPACE, None

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region)

    @property
    def source(self) -> str:
        """Path or display name of the page."""
        return self.reader.name

    @property
    def size(self) -> tuple[int, ...]:
        """Width and height of the page."""
        return self.reader.width, self.reader.height

    @cached_property
    def labels(self) -> NDArray[np.uint8]:  # type: ignore[override]
        """Lines, by turns in two colours, and baselines, (h, w) of the thumbnail."""
        found = np.zeros(self.thumbnail.shape[:2], np.uint8)
        scale = self.thumbnail.shape[1] / self.reader.width
        thick = max(1, round(max(found.shape) / 700))
        for index, line in enumerate(self.lines):
            cv2.fillPoly(found, [np.rint(line.outline * scale).astype(np.int32)], 1 + index % 2)
        for line in self.lines:
            cv2.polylines(found, [np.rint(line.baseline * scale).astype(np.int32)], False, 3, thick)
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found, lost or wrong, in sentences."""
        if not self.lines:
            return ("no line of text was found: is the page blank, upside down or very faint?", *self._lost())
        note = f"{counted(self.boxes, 'line')} with little ink got a box for an outline"
        return (*((note,) if self.boxes else ()), *self._lost())

    @property
    def boxes(self) -> int:
        """How many lines got a box for an outline."""
        return sum(line.is_box for line in self.lines)

    @property
    def is_writing(self) -> bool:
        """Whether this may be a page of writing: on photos of other things lines have no ink, and ink is in no line."""
        if self.doubt:
            return False
        if self.lost < _PIECES:
            return bool(self.lines)
        empty = self.boxes > _EMPTY * len(self.lines)
        return bool(self.lines) and self.lost_share < (_MUCH_LOST if empty else _ALL_LOST)

    def _lost(self) -> Iterator[str]:
        if self.lost:
            of = f"{counted(self.lost, 'piece')} of {self.pieces:,} ({100 * self.lost_share:.1f} % of the ink)"
            yield f"ink in no line: {of}"
        if self.doubt:
            yield f"{self.doubt}: is it a page of writing?"
        elif self.lost_share > _MOST_LOST:
            yield "most of what is dark on it is in no line: is it a page of writing?"

    @property
    def details(self) -> dict[str, Any]:
        """What the record tells besides what every medium has."""
        found = {
            "lines": len(self.lines), "regions": len(self.regions), "ink_pieces": self.pieces,
            "ink_in_no_line": self.lost, "ink_in_no_line_share": round(self.lost_share, 4),
        }  # fmt: skip
        return found | ({"words": sum(len(line.words) for line in self.lines)} if self.with_words else {})

    def areas(self) -> dict[str, float]:
        """Share of the page that lines take, and that they do not."""
        counts = count(np.where(self.labels > 0, 1, 0).astype(np.uint8), SPACE)
        return areas(counts, SPACE)

    def render(
        self, kind: str | Render = "overlay", *, opacity: float = 0.3, keep: tuple[str, ...] = ()
    ) -> Image.Image:
        """Draw the lines on the page, reduced if it is large; see `Segmentation.render`."""
        return Segmentation(self.labels, SPACE, image=self.thumbnail).render(kind, opacity=opacity, keep=keep)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the lines; the end of the name says how: .json, .alto.xml, other .xml (PAGE), .lines (crops).

        Raises:
            UsageError: another ending.
            DataError: the file cannot be written, or the page can no longer be read.
        """
        target = Path(path)
        name = target.name.lower()
        if name.endswith(".alto.xml"):
            write_alto(self.document(), target)
        elif name.endswith(".xml"):
            write_page(self.document(), target)
        elif name.endswith(".json"):
            write_json(target, self.to_json())
        elif name.endswith(".lines"):
            write_crops(self.reader, [(line.baseline, line.outline) for line in self.lines], target)
        else:
            raise UsageError(
                f"{target}: lines are written as .page.xml, .alto.xml, .json or .lines (a folder of crops)"
            )

    def document(self) -> AnnotatedImage:
        """The lines as an annotated image: regions, lines, baselines and words in reading order."""
        shapes: list[Shape] = []
        number = 0
        for region in self.regions:
            corners = np.concatenate([line.outline for line in region])
            (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
            shapes.append(Shape("TextRegion", Polygon.of([(left, top), (right, top), (right, bottom), (left, bottom)])))
            for line in region:
                number += 1
                shapes.append(Shape("TextLine", Polygon.of(_plain(line.outline)), number))
                shapes.append(Shape("Baseline", Polyline(_plain(line.baseline)), number))
                shapes += [Shape("Word", Polygon.of(_plain(word))) for word in line.words]
        name = encoded(Path(self.source).name).decode()
        return AnnotatedImage(name, width=self.reader.width, height=self.reader.height, shapes=tuple(shapes))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        regions = [{"lines": [line.to_json() for line in region]} for region in self.regions]
        return {"source": self.source, "size": list(self.size), **self.details, "regions": regions}


def _plain(points: Points) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)
