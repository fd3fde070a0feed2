"""Video background: the people of a video as they are, and behind them a blur, a picture, a colour, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

import intarsia
from intarsia.apps.bokeh import out_of_focus
from intarsia.apps.grounds import BLUR, Blur, Ground, Plain, Transparent, read_ground
from intarsia.apps.portrait import MODEL, PERSON
from intarsia.inference.matting import Floats, Matting, Pixels, working_size
from intarsia.inference.steady import SteadyPredictor
from intarsia.media.medium import VIDEO
from intarsia.media.newest import Newest
from intarsia.media.video import open_video
from intarsia.result import Render, Style

if TYPE_CHECKING:
    from intarsia.inference import Predictor

CLIPS = (replace(VIDEO, outputs=("background",)),)
"""The media of video backgrounds."""

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
        UsageError: an argument out of range, or PyAV is not installed.
    """
    render = background_render(Blur(blur) if behind == BLUR else read_ground(behind))
    found: Predictor = intarsia.load(model) if isinstance(model, str | os.PathLike) else model
    steady, style, frames = SteadyPredictor(found, PERSON), Style(found.space), open_video(source)
    for result in steady.stream(Newest(iter(frames)) if frames.is_live else frames):
        yield render.draw(result.frame.image, result.shares, style)


def background_render(ground: Ground) -> Render:
    """The drawing of a video's people before a ground, for jobs with a `SteadyPredictor`."""
    draw = _draw_clear if isinstance(ground, Transparent) else partial(_draw, ground=_Behind(ground))
    return Render(
        "background", draw, alpha=isinstance(ground, Transparent), of=PERSON, settings=ground.settings
    )  # fmt: skip


class _Behind:
    """What is behind the people of each frame.

    Args:
        ground: what the user wants.
    """

    def __init__(self, ground: Blur | Plain) -> None:
        self._ground = ground
        self._scaled: Pixels = np.empty((0, 0, 3), dtype=np.uint8)

    def of(self, small: Pixels, alpha: Floats, size: tuple[int, int]) -> Pixels:
        """At the size of the frame, to be written on."""
        if isinstance(self._ground, Blur):
            half = (small.shape[1] // 2 + 1, small.shape[0] // 2 + 1)
            picture, shares = (cv2.resize(one, half, interpolation=cv2.INTER_AREA) for one in (small, alpha))
            blurred = np.rint(out_of_focus(picture, shares, self._ground.strength)).astype(np.uint8)
            return np.asarray(cv2.resize(blurred, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        if self._scaled.shape[:2] != size:
            self._scaled = self._ground.covering(*size)
        return self._scaled.copy()


def _draw(frame: Pixels, shares: Floats, _: Style, *, ground: _Behind) -> Pixels:
    matting, small = _matted(frame, shares)
    behind = ground.of(small, matting.alpha, (frame.shape[0], frame.shape[1]))
    return matting.rows(0, frame).over(frame, behind)


def _draw_clear(frame: Pixels, shares: Floats, _: Style) -> Pixels:
    return _matted(frame, shares)[0].rows(0, frame).cut_out(frame)


def _matted(frame: Pixels, shares: Floats) -> tuple[Matting, Pixels]:
    """The matting of a frame, and the frame at the size of it."""
    height, width = frame.shape[:2]
    rows, columns = working_size(height, width, _SIDE)
    small = frame
    while small.shape[0] >= 4 * rows:  # halving is so much cheaper that one more average is
        small = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    small = np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask = np.asarray(cv2.resize(shares, (columns, rows), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return Matting(small, mask, (height, width)), small
