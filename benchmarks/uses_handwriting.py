"""Lines and words of handwritten pages against labelled ones: found, merged, F1 of outlines, word counts, seconds.

    python benchmarks/uses_handwriting.py [PAGES/ [--peer XML-OF-ANOTHER-TOOL/ --peer-seconds 30]]

PAGES holds pictures with PAGE or ALTO files beside them; without it, pages are drawn in a written font. A labelled
line's core is the part of its outline within half of its mean height above its baseline. It is found if one of our
outlines holds at least half of the core, and merged if that outline holds at least half of another line's core, too. F1
pairs outlines one to one by their intersection over union. Where only a part of a page's lines is labelled, precision
and F1 are lower bounds of what they would be.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from common import Row, arguments, report
from numpy.typing import NDArray

import intarsia
from intarsia.annotations import AnnotatedImage, Shape
from intarsia.annotations.formats import page
from intarsia.annotations.formats.page.writing import write_page
from intarsia.annotations.geometry import Geometry, Polygon, Polyline
from intarsia.apps.handwriting import LineFinder
from intarsia.media.images import open_image, write_image

Points = NDArray[np.float64]
BARS = (0.5, 0.75)
_FINE = 4  # parts of a pixel in which outlines are filled


@dataclass(frozen=True)
class Truth:
    """One labelled line."""

    outline: Points
    baseline: Points
    words: int

    @property
    def core(self) -> Points:
        """The band above the baseline."""
        length = float(np.linalg.norm(np.diff(self.baseline, axis=0), axis=1).sum())
        height = cv2.contourArea(self.outline.astype(np.float32)) / max(length, 1.0)
        return np.concatenate([self.baseline, (self.baseline - [0, 0.5 * height])[::-1]])


@dataclass
class Tally:
    """Sums over pages."""

    truths: int = 0
    predicted: int = 0
    found: int = 0
    apart: int = 0
    pairs: dict[float, int] = field(default_factory=lambda: dict.fromkeys(BARS, 0))
    word_counts: list[tuple[int, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, truths: Sequence[Truth], outlines: Sequence[Points], words: Sequence[int] = ()) -> None:
        """Add a page."""
        share, iou = overlaps(truths, outlines)
        best = share.argmax(axis=1) if share.size else np.zeros(len(truths), np.int64)
        found = share.max(axis=1, initial=0) >= 0.5
        alone = np.array([(share[:, index] >= 0.5).sum() == 1 for index in best], np.bool_) & found
        self.truths += len(truths)
        self.predicted += len(outlines)
        self.found += int(found.sum())
        self.apart += int(alone.sum())
        for bar in BARS:
            self.pairs[bar] += matched(iou, bar)
        if words:
            self.word_counts += [(truths[i].words, words[best[i]]) for i in np.flatnonzero(alone) if truths[i].words]

    def f1(self, bar: float) -> float:
        """Of outlines, at an intersection over union."""
        return 2 * self.pairs[bar] / max(1, self.truths + self.predicted)

    def word_error(self) -> float:
        """Sum of the differences of word counts line by line, relative to all words."""
        return sum(abs(a - b) for a, b in self.word_counts) / max(1, sum(a for a, _ in self.word_counts))


def truths_of(document: AnnotatedImage) -> list[Truth]:
    """The lines of a labelled page that have an outline and a baseline."""
    lines: dict[int | None, dict[str, Points | int]] = {}
    for shape in document.shapes:
        if shape.label == "TextLine" and isinstance(shape.geometry, Polygon):
            text = str(shape.attributes.get("text", ""))
            lines[shape.instance] = {"outline": np.array(shape.geometry.rings[0]), "words": len(text.split())}
        elif shape.label == "Baseline" and isinstance(shape.geometry, Polyline) and shape.instance in lines:
            lines[shape.instance]["baseline"] = np.array(shape.geometry.points)
    return [Truth(**one) for one in lines.values() if len(one) == 3]  # type: ignore[arg-type]


def overlaps(truths: Sequence[Truth], outlines: Sequence[Points]) -> tuple[Points, Points]:
    """Share of each labelled line's core in each outline, and their intersection over union, (truths, outlines)."""
    share, iou = np.zeros((len(truths), len(outlines))), np.zeros((len(truths), len(outlines)))
    corners = [(ring.min(axis=0), ring.max(axis=0)) for ring in outlines]
    for i, truth in enumerate(truths):
        low, high = np.floor(truth.outline.min(axis=0)), np.ceil(truth.outline.max(axis=0)) + 1
        size = (high - low).astype(int)[::-1]
        whole = _filled(truth.outline - low, size)
        core = _filled(truth.core - low, size) & whole
        core = core if core.any() else whole
        for j, (least, most) in enumerate(corners):
            if (least > high).any() or (most < low).any():
                continue
            ours = _filled(outlines[j] - low, size)
            common = np.count_nonzero(ours & whole)
            area = max(cv2.contourArea(outlines[j].astype(np.float32)), np.count_nonzero(ours))
            share[i, j] = np.count_nonzero(ours & core) / np.count_nonzero(core)
            iou[i, j] = common / (np.count_nonzero(whole) + area - common)
    return share, iou


def _filled(ring: Points, size: NDArray[np.int64]) -> NDArray[np.uint8]:
    found = np.zeros(tuple(size), np.uint8)
    cv2.fillPoly(found, [np.rint(ring * _FINE).astype(np.int32)], 1, shift=2)
    return found


def matched(iou: Points, bar: float) -> int:
    """Number of pairs one to one, the best first."""
    taken: tuple[set[int], set[int]] = (set(), set())
    for place in np.argsort(-iou, axis=None, kind="stable"):
        i, j = divmod(int(place), iou.shape[1])
        if iou[i, j] < bar:
            break
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
    return len(taken[0])


def drawn(folder: Path) -> Path:
    """Two pages of four lines, one of them leaning, with their PAGE files."""
    for name, rise in (("level", 0), ("leaning", 20)):
        picture = np.full((480, 640, 3), 235, np.uint8)
        shapes = [Shape("TextRegion", Polygon.of([(0, 0), (640, 0), (640, 480), (0, 480)]))]
        for row in range(4):
            (width, height), _ = cv2.getTextSize("the quick brown fox", cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.1, 2)
            y = 80 + 90 * row
            cv2.putText(
                picture,
                "the quick brown fox",
                (50, y),
                cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
                1.1,
                (60, 40, 30),
                2,
                cv2.LINE_AA,
            )
            ring = [(50, y - height), (50 + width, y - height), (50 + width, y + 12), (50, y + 12)]
            attributes = {"text": "the quick brown fox"}
            shapes.append(Shape("TextLine", Polygon.of(ring), row + 1, attributes=attributes))
            shapes.append(Shape("Baseline", Polyline(((50, y), (50 + width, y))), row + 1))
        turn = np.array([[1.0, 0.0, 0.0], [-rise / 640, 1.0, rise]])
        write_image(
            folder / f"{name}.png", np.asarray(cv2.warpAffine(picture, turn, (640, 480), borderValue=(235,) * 3))
        )
        moved = [replace(shape, geometry=_moved(shape.geometry, turn)) for shape in shapes]
        write_page(AnnotatedImage(f"{name}.png", width=640, height=480, shapes=tuple(moved)), folder / f"{name}.xml")
    return folder


def _moved(geometry: Geometry, turn: NDArray[np.float64]) -> Geometry:
    points = geometry.rings[0] if isinstance(geometry, Polygon) else geometry.points  # type: ignore[union-attr]
    found = tuple((float(x), float(y)) for x, y in np.array(points) @ turn[:, :2].T + turn[:, 2])
    return Polygon.of(found) if isinstance(geometry, Polygon) else Polyline(found)


def pages(folder: Path, quick: bool) -> Iterator[AnnotatedImage]:
    """Labelled pages whose picture is there."""
    found = [one for one in page.read(folder).images() if one.image is not None and truths_of(one)]
    yield from found[::8] if quick else found


def measure(finder: LineFinder, documents: Iterable[AnnotatedImage]) -> Tally:
    """Run on each page."""
    tally = Tally()
    for document in documents:
        assert document.image is not None
        start = time.perf_counter()
        found = finder.segment_opened(open_image(document.image))
        tally.seconds.append(time.perf_counter() - start)
        lines = found.lines
        tally.add(truths_of(document), [line.outline for line in lines], [len(line.words) for line in lines])
    return tally


def peer(folder: Path, documents: Iterable[AnnotatedImage]) -> Tally:
    """What another tool wrote for the same pages, files of the same names."""
    tally = Tally()
    theirs = {Path(one.name).stem: one for one in page.read(folder).images()}
    for document in documents:
        other = theirs.get(Path(document.name).stem)
        if other is None:
            raise SystemExit(f"{folder} has nothing of {document.name}")
        rings = [s.geometry.rings[0] for s in other.shapes if s.label == "TextLine" and isinstance(s.geometry, Polygon)]
        tally.add(truths_of(document), [np.array(ring) for ring in rings])
    return tally


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("pages", type=Path, nargs="?", help="folder of labelled pages; default: drawn ones")
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="another tool's PAGE or ALTO files of these pages")
    parser.add_argument("--peer-name", default="kraken")
    parser.add_argument("--peer-seconds", type=float, help="that it took for a page")
    parser.add_argument("--long-side", type=int)
    options = parser.parse_args()
    finder = LineFinder(intarsia.load("handwriting", long_side=options.long_side), words=True)
    with tempfile.TemporaryDirectory() as folder:
        place = options.pages or drawn(Path(folder))
        documents = list(pages(place, options.quick and options.pages is not None))
        ours = measure(finder, documents)
    other = peer(options.peer, documents) if options.peer else None
    case = f"{options.pages.name if options.pages else 'drawn'}, {len(documents)} pages, {ours.truths} lines"

    def row(metric: str, value: float, theirs: float | None = None, unit: str = "", ratio: float | None = None) -> Row:
        return Row(case, metric, unit, value, theirs, options.peer_name if theirs is not None else "", ratio)

    rows = [
        row("found", ours.found / ours.truths, other and other.found / other.truths),
        row("found and not merged", ours.apart / ours.truths, other and other.apart / other.truths),
        *(row(f"F1 at IoU {bar}", ours.f1(bar), other and other.f1(bar)) for bar in BARS),
        *(
            row(f"recall at IoU {bar}", ours.pairs[bar] / ours.truths, other and other.pairs[bar] / other.truths)
            for bar in BARS
        ),
        row("error of word counts", ours.word_error()),
    ]
    taken, theirs = float(np.median(ours.seconds)), options.peer_seconds
    rows.append(row("a page", taken, theirs, "s", theirs / taken if theirs else None))
    report("Handwriting", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
