"""LineFinder: from an opened page to its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core, find_cores, typical_height
from intarsia.apps.handwriting.doubts import find_doubt
from intarsia.apps.handwriting.ink import dividing, find_ink, find_rules, without_strokes
from intarsia.apps.handwriting.order import reading_order
from intarsia.apps.handwriting.page import SPACE, Line, PageLines, Points
from intarsia.apps.handwriting.shapes import assign_ink, baseline, box, outline
from intarsia.apps.handwriting.words import find_words
from intarsia.errors import ModelError, NothingFound
from intarsia.inference import Identity, Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelSpace
from intarsia.media.medium import Form
from intarsia.media.source import PixelSource
from intarsia.preprocessing import Preprocessing
from intarsia.stopping import checkpoint
from intarsia.transforms.preprocess import working_size

Ints = NDArray[np.int64]

TEXT = "text"
"""The class of a model that finds the middles of lines."""
_DARKEST, _FAINTEST = 0.02, 6.0  # share of the darkest pixels of a line, and levels that they are darker than most
_BESIDE = 0.5  # heights from a rule within which text stands at it


class LineFinder:
    """A model of text made ready to find lines on pages, as jobs take it.

    Args:
        predictor: the model; it has a class "text", the middles of lines.
        words: also find words.

    Raises:
        ModelError: the model has no such class.
    """

    forms: frozenset[Form] = frozenset({"whole"})

    def __init__(self, predictor: Predictor | CloudPredictor, *, words: bool = False) -> None:
        if TEXT not in predictor.space.names:
            raise ModelError(
                f"{predictor.bundle.title}: it has no class {TEXT!r}, so that it finds no lines; use handwriting"
            )
        self._predictor, self._words = predictor.of_pictures(predictor.bundle.title), words
        self.bundle, self.given = predictor.bundle, predictor.given
        self.space: LabelSpace = SPACE

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to pages before the network."""
        return self._predictor.preprocessing

    @property
    def is_free(self) -> bool:
        """Whether the precision, and perhaps the runtime, was left open."""
        return self._predictor.is_free

    def identity(self) -> Identity:
        """Tell what decides the lines."""
        found = self._predictor.identity()
        return replace(found, settings=found.settings | {"words": self._words})

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same finder in the precision that a record tells of."""
        return type(self)(self._predictor.at(runtime), words=self._words)

    def whole(self, reader: PixelSource) -> PageLines:
        """Find the lines of a page for a job.

        Raises:
            NothingFound: it has none, or is no page of writing.
            DataError: it cannot be read.
        """
        found = self.segment_opened(reader)
        if not found.lines:
            raise NothingFound(f"{reader.name}: {found.notes[0]}")
        if not found.is_writing:
            reason = found.doubt or (
                f"{found.lost_share:.0%} of what is dark on it is in no line; lines with next to no ink: "
                f"{found.boxes} of {len(found.lines):,}"
            )
            raise NothingFound(f"{reader.name}: this is no page of writing, or one that is not understood: {reason}")
        return found

    def segment_opened(self, reader: PixelSource) -> PageLines:
        """Find the lines of a page; it is seen at the model's working size, however large it is.

        Raises:
            DataError: the page cannot be read.
        """
        height, width = working_size(reader.height, reader.width, self.preprocessing)
        pixels = reader.picture(reader.thumbnail(width, height))
        text = self._predictor.probabilities(pixels)[self._predictor.space.index(TEXT)]
        tall = typical_height(text)
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        ink = find_ink(grey)
        rules = find_rules(grey, ink, tall)
        labels, cores = find_cores(text, dividing(rules, text, _BESIDE * tall))
        cores = [core for core, xs, ys in _with_pixels(cores, labels) if _is_written(grey[ys, xs])]
        labels = np.where(np.isin(labels, [core.label for core in cores]), labels, 0).astype(np.int32)
        found = assign_ink(without_strokes(ink & ~rules, tall), labels, cores)
        scale = np.array([reader.width / width, reader.height / height])
        inked = list(_with_pixels(cores, found.labels))
        words = find_words(inked) if self._words else [[] for _ in inked]
        lines = [_line(*one, grey.shape, scale, some) for one, some in zip(inked, words, strict=True)]
        regions = reading_order(_level_boxes(cores), tall)
        return PageLines(
            tuple(tuple(lines[index] for index in region) for region in regions), reader, pixels,
            found.pieces, found.lost, found.lost_share, self._words, find_doubt(cores, labels, text),
        )  # fmt: skip


def _line(
    core: Core, xs: Ints, ys: Ints, size: tuple[int, ...], scale: NDArray[np.float64], words: Sequence[Points]
) -> Line:
    """A line in pixels of the page."""
    page = (size[0], size[1])
    ring = outline(core, xs, ys, page)
    return Line(
        np.round(baseline(core, xs, ys) * scale, 1),
        np.round((box(core, page) if ring is None else ring) * scale, 1),
        float(core.height * scale[1]),
        tuple(np.round(word * scale, 1) for word in words),
        ring is None,
    )


def _with_pixels(cores: list[Core], labels: NDArray[np.int32]) -> Iterator[tuple[Core, Ints, Ints]]:
    """Each core, and x and y of the pixels with its label."""
    ys, xs = np.nonzero(labels)
    label = labels[ys, xs]
    order = np.argsort(label, kind="stable")
    ys, xs, label = ys[order], xs[order], label[order]
    for core in cores:
        checkpoint()
        start, end = np.searchsorted(label, [core.label, core.label + 1])
        yield core, xs[start:end], ys[start:end]


def _is_written(values: NDArray[np.uint8]) -> bool:
    """Whether there is anything on the paper, be it too faint for ink: networks see lines on even paper, too."""
    return float(np.median(values) - np.quantile(values, _DARKEST)) >= _FAINTEST


def _level_boxes(cores: list[Core]) -> NDArray[np.float64]:
    """Left, top, right and bottom of each line's middle, the skew that most lines share taken out."""
    if not cores:
        return np.zeros((0, 4))
    length = np.array([len(core.centre) for core in cores], np.float64)
    rise = np.array([float(core.centre[-1] - core.centre[0]) for core in cores]) / length
    order = np.argsort(rise)
    skew = float(rise[order][np.searchsorted(np.cumsum(length[order]), length.sum() / 2)])
    middle = np.array([[(core.left + core.right) / 2, float(np.mean(core.centre))] for core in cores])
    half = np.stack([length / 2, np.array([core.height for core in cores]) / 4], axis=1)
    level = np.stack([middle[:, 0] + skew * middle[:, 1], middle[:, 1] - skew * middle[:, 0]], axis=1)
    return np.concatenate([level - half, level + half], axis=1)
