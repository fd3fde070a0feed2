"""Video: frames in, labels at the frames' own size out, one after the other and in constant memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.inference.pictures.predictor import Predictor
from intarsia.media.video import Frame
from intarsia.models.upsampling import upsampled_labels
from intarsia.models.video import State, VideoSegmenter, scheduled
from intarsia.result import Segmentation


@dataclass(frozen=True)
class FrameResult:
    """One segmented frame.

    Attributes:
        segmentation: its labels, at its own size, with the frame itself.
        frame: the frame, with its time.
        key: whether the deep part ran for this very frame.
        age: frames since the one whose deep result is in the labels.
        ran: the parts that ran; see `StepResult`.
        cut: whether the stream began anew here.
        seconds: from the frame to its labels.
    """

    segmentation: Segmentation
    frame: Frame
    key: bool
    age: int
    ran: tuple[str, ...]
    cut: bool
    seconds: float


class VideoPredictor:
    """A predictor's model on video.

    Frames are seen whole, at the working size of the model's preprocessing; refinement, tiles and test-time
    augmentation belong to pictures.

    Args:
        predictor: the model, made ready.
        schedule: how its work is spread over the frames, see `intarsia.models.video.scheduled`: ``method``, ``every``,
            ``threshold``, ``ratio``, ``max_gap``, ``delay``, ``smooth``, ... A model made for video has its own.

    Attributes:
        model: the network with its schedule.

    Raises:
        UsageError: the schedule contradicts itself or the model.
        ModelError: the model cannot be split as the schedule wants it.
        DataError: the model is for rasters or volumes.
    """

    def __init__(self, predictor: Predictor, **schedule: Any) -> None:
        predictor.check_medium("picture", "video")
        self._predictor = predictor
        self.space = predictor.space
        self.model: VideoSegmenter = scheduled(predictor.network, **schedule)

    def step(self, frame: Frame | NDArray[np.uint8], state: State | None = None) -> tuple[FrameResult, State]:
        """One frame, (H, W, 3) uint8 RGB or with its time, and what the step before returned.

        Many streams, each with its own state, may share one predictor.
        """
        if not isinstance(frame, Frame):
            number = int((state or {}).get("index", 0))
            frame = Frame(frame, number, number)
        start = time.perf_counter()
        with torch.inference_mode():
            result, following = self.model.step(self._predictor.working(frame.image), state)
            size = (frame.image.shape[0], frame.image.shape[1])
            labels = upsampled_labels(
                result.logits, size, align_corners=self.model.align_corners, dtype=self.space.dtype
            )
        seconds = time.perf_counter() - start
        segmentation = Segmentation(labels, self.space, image=frame.image)
        return (
            FrameResult(segmentation, frame, result.key, result.age, result.ran, result.cut, seconds),
            following,
        )

    def stream(self, frames: Iterable[Frame | NDArray[np.uint8]], state: State | None = None) -> Iterator[FrameResult]:
        """Lazily, in order. Frames are (H, W, 3) uint8 RGB, or a source that `open_video` gives."""
        state = {} if state is None else state
        for frame in frames:
            result, state = self.step(frame, state)
            yield result
