"""Video background: the people of a video as they are, and behind them a blur, a picture, a colour, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.bokeh import out_of_focus
from intarsia.apps.grounds import BLUR, Blur, Ground, Plain, Transparent, read_ground
from intarsia.apps.loading import load_predictor
from intarsia.apps.portrait import LEAST, MODEL, PERSON, Portraits
from intarsia.errors import NothingFound
from intarsia.inference.matting import Floats, Matting, Pixels, working_size
from intarsia.inference.steady import SteadyPredictor
from intarsia.inference.video import FrameResult, State
from intarsia.media.ahead import Ahead
from intarsia.media.frames import Frame
from intarsia.media.medium import PHOTO, VIDEO, Form
from intarsia.media.newest import Newest
from intarsia.media.video import open_video
from intarsia.result import Render

if TYPE_CHECKING:
    from intarsia.inference import Predictor

MEDIA = (VIDEO, PHOTO)
"""What backgrounds are changed of."""

_SIDE = 256  # pixels of the longer side at which the edges of frames are looked for


def background(
    source: str | os.PathLike[str],
    *,
    behind: str | os.PathLike[str] = BLUR,
    blur: float = 0.6,
    model: str | os.PathLike[str] | Predictor = MODEL,
) -> Iterator[NDArray[np.uint8]]:
    """Change what is behind the people of a video, frame by frame; of a camera, the newest frame at a time.

    Args:
        source: a video file, or ``camera:0``.
        behind: ``"blur"``, ``"transparent"``, a colour (``"#b0123b"``, ``"navy"``) or a picture file.
        blur: above 0, at most 1: how far out of focus the background is.
        model: that finds people, see `portrait`.

    Yields:
        Each frame, (H, W, 3) uint8 RGB, or (H, W, 4) RGBA where it is transparent.

    Raises:
        DataError: the video, or the picture, cannot be read.
        NothingFound: after the last frame, if there was nobody in any.
        UsageError: an argument out of range, or PyAV is not installed.
    """
    ground = Blur(blur) if behind == BLUR else read_ground(behind)
    frames = open_video(source)
    for result in Filming(load_predictor(model), ground).stream(Newest(iter(frames)) if frames.is_live else frames):
        yield result.frame.image


def background_output(ground: Ground) -> Render:
    """The output of background jobs: pixels come drawn. What is transparent is written as WebM, or PNG."""
    clear = isinstance(ground, Transparent)
    return Render("background", lambda pixels, labels, style: pixels, alpha=clear, lossless=clear)


class Backgrounds(Portraits):
    """The people of videos and photos before a ground, for jobs; see `Portraits`."""

    forms: frozenset[Form] = frozenset({"photo", "frames"})

    def filming(self) -> Filming:
        """Make it ready for one clip."""
        return Filming(self._predictor, self._ground)


class Filming(SteadyPredictor):
    """The people of one clip before a ground.

    Args:
        predictor: finds people.
        ground: what is behind them.
    """

    def __init__(self, predictor: Predictor, ground: Ground) -> None:
        super().__init__(predictor, PERSON)
        self._grid, self._ground = predictor, ground
        self._scaled: Pixels = np.empty((0, 0, 3), dtype=np.uint8)
        self.settings = self.settings | ground.settings

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same on another runtime."""
        return type(self)(self._grid.at(runtime), self._ground)

    def stream(self, frames: Iterable[Frame | Pixels], state: State | None = None) -> Iterator[FrameResult]:
        """Change frames lazily, in order: while one is drawn, the next one's mask is computed, but of live ones.

        Raises:
            NothingFound: after the last frame, if there was nobody in any.
        """
        results: Iterable[FrameResult] = super().stream(frames, state)
        found = False
        with ExitStack() as stack:
            if not isinstance(frames, Newest):
                results = stack.enter_context(Ahead(results, 1))
            for result in results:
                shares: Floats = np.asarray(result.shares)
                found = found or bool(np.count_nonzero(shares > 0.5) >= LEAST * shares.size)
                drawn = self.draw(result.frame.image, shares)
                yield replace(result, frame=replace(result.frame, image=drawn))
        if not found:
            raise NothingFound("nobody is found in any of its frames, so there is nothing to put before a background")

    def draw(self, frame: Pixels, shares: Floats) -> Pixels:
        """Put the people of a frame (H, W, 3) before the ground: (H, W, 3), or (H, W, 4) before nothing.

        Args:
            frame: uint8 RGB.
            shares: (h, w) float32, 0 to 1: how likely each pixel is a person, perhaps at a smaller size.
        """
        size = (frame.shape[0], frame.shape[1])
        rows, columns = working_size(*size, _SIDE)
        small = _reduced(frame, rows, columns)
        mask = np.asarray(cv2.resize(shares, (columns, rows), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        matting = Matting(small, mask, size)
        matte = matting.rows(0, frame)
        if isinstance(self._ground, Transparent):
            return matte.cut_out(frame)
        return matte.over(frame, self._behind(self._ground, small, matting.alpha, size))

    def _behind(self, ground: Blur | Plain, small: Pixels, alpha: Floats, size: tuple[int, int]) -> Pixels:
        """The ground at the size of the frame, to be written on."""
        if isinstance(ground, Blur):
            half = (small.shape[1] // 2 + 1, small.shape[0] // 2 + 1)
            picture, shares = (cv2.resize(one, half, interpolation=cv2.INTER_AREA) for one in (small, alpha))
            blurred = np.rint(out_of_focus(np.asarray(picture), np.asarray(shares), ground.strength)).astype(np.uint8)
            return np.asarray(cv2.resize(blurred, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        if self._scaled.shape[:2] != size:
            self._scaled = ground.covering(*size)
        return self._scaled.copy()


def _reduced(frame: Pixels, rows: int, columns: int) -> Pixels:
    """The frame at a small size; halving is so much cheaper that one more average is worth it."""
    small = frame
    while small.shape[0] >= 4 * rows:
        half = (small.shape[1] // 2, small.shape[0] // 2)
        small = np.asarray(cv2.resize(small, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
