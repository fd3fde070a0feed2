"""Video: frames in, labels at the frames' own size out, one after the other and in constant memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.inference.identity import Identity
from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.labels import LabelArray
from intarsia.media.frames import Frame, SharedSource
from intarsia.media.medium import VIDEO, check_options
from intarsia.result import Segmentation
from intarsia.runtimes.upsampling import Span, upsampled_labels

if TYPE_CHECKING:
    from intarsia.models.video import VideoSegmenter
    from intarsia.runtimes.torch import TorchRuntime

State = Mapping[str, Any]
"""What a stream remembers: tensors and integers under dotted names; {} at its start."""


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
        note: what is to be told of it, in a few words; "" for nothing.
        shares: (h, w) float32, how likely each pixel is of one class, at the size that the network sees; None unless
            the predictor tells it, see `SteadyPredictor`.
    """

    segmentation: Segmentation
    frame: Frame
    key: bool
    age: int
    ran: tuple[str, ...]
    cut: bool
    seconds: float
    note: str = ""
    shares: NDArray[np.float32] | None = None


class VideoPredictor:
    """A predictor's model on video.

    Frames are seen whole, at the working size of the model's preprocessing; refinement, tiles, confidence and test-time
    augmentation belong to pictures, and a predictor that was made with them is refused.

    Args:
        predictor: the model, made ready.
        schedule: how its work is spread over the frames, see `intarsia.models.video.scheduled`: ``method``, ``every``,
            ``threshold``, ``ratio``, ``max_gap``, ``delay``, ``smooth``, ... A model made for video has its own. Any
            schedule splits the network, which only the runtime torch can do; others see every frame.

    Attributes:
        space: the classes.
        settings: what besides the weights decides the labels, as plain JSON.

    Raises:
        UsageError: the schedule contradicts itself or the model; the predictor has options that are not for video; or
            its runtime cannot split a network.
        ModelError: the model cannot be split as the schedule wants it.
        DataError: the model is for rasters or volumes.
    """

    def __init__(self, predictor: GridPredictor, **schedule: Any) -> None:
        predictor.preprocessing.check_medium("picture", "video")
        check_options(VIDEO, predictor.given)
        wanted = {name: value for name, value in schedule.items() if value is not None}
        self._predictor, self._wanted = predictor, wanted
        self.bundle, self.space, self.preprocessing = predictor.bundle, predictor.space, predictor.preprocessing
        self.given, self.forms = predictor.given, predictor.forms
        self.settings = predictor.settings | ({"schedule": wanted} if wanted else {})
        self._steps: _Steps
        if wanted and predictor.is_free:  # a schedule splits the network
            predictor = self._predictor = predictor.at({"name": "torch", "precision": "auto"})
        runtime: Any = predictor.runtime
        if hasattr(runtime, "model"):  # one of torch's modules, which can be split
            self._steps = _Scheduled(predictor, runtime, wanted)
        elif wanted:
            raise UsageError(
                f"a schedule ({', '.join(wanted)}) splits the network, which the runtime {predictor.runtime.name} "
                "cannot do: leave it out, or use the runtime torch"
            )
        else:
            self._steps = _EveryFrame(predictor)

    @property
    def model(self) -> VideoSegmenter:
        """The network with its schedule.

        Raises:
            UsageError: the runtime has no network that could be split.
        """
        if not isinstance(self._steps, _Scheduled):
            raise UsageError(
                f"the runtime {self._predictor.runtime.name} cannot split a network; use the runtime torch"
            )
        return self._steps.model

    def filming(self, **schedule: Any) -> Self:
        """Give itself, whose own schedule counts."""
        return self

    def identity(self) -> Identity:
        """Tell what decides the labels: equal identities give equal ones."""
        return replace(self._predictor.identity(), settings=self.settings)

    @property
    def is_free(self) -> bool:
        """Whether the precision, and perhaps the runtime, was left open."""
        return self._predictor.is_free

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same predictor on another runtime."""
        return type(self)(self._predictor.at(runtime), **self._wanted)

    def extent(self, source: SharedSource) -> Span | None:
        """Tell what of a video can be shared: its times, from the first to the end.

        None where labels depend on frames before, or reading cannot begin in the middle.
        """
        return getattr(source, "span", None) if self._steps.framewise else None

    def step(self, frame: Frame | NDArray[np.uint8], state: State | None = None) -> tuple[FrameResult, State]:
        """Segment one frame, (H, W, 3) uint8 RGB or with its time, given what the step before returned.

        Many streams, each with its own state, may share one predictor.
        """
        frame = Frame.of(frame, int((state or {}).get("index", 0)))
        start = time.perf_counter()
        labels, following, facts = self._steps.step(frame, state)
        seconds = time.perf_counter() - start
        segmentation = Segmentation(labels, self.space, image=frame.image)
        return FrameResult(segmentation, frame, **facts, seconds=seconds), following

    def stream(self, frames: Iterable[Frame | NDArray[np.uint8]], state: State | None = None) -> Iterator[FrameResult]:
        """Segment frames lazily, in order. They are (H, W, 3) uint8 RGB, or a source that `open_video` gives."""
        state = {} if state is None else state
        for frame in frames:
            result, state = self.step(frame, state)
            yield result


class _Steps(Protocol):
    @property
    def framewise(self) -> bool:
        """Whether no frame's labels depend on others."""

    def step(self, frame: Frame, state: State | None) -> tuple[LabelArray, State, dict[str, Any]]:
        """The labels of a frame, the next state, and how they came about."""


class _EveryFrame:
    """Any runtime: the whole network on every frame."""

    framewise = True

    def __init__(self, predictor: GridPredictor) -> None:
        self._predictor = predictor

    def step(self, frame: Frame, state: State | None) -> tuple[LabelArray, State, dict[str, Any]]:
        runtime = self._predictor.runtime
        logits = runtime.logits(self._predictor.working(frame.image))
        labels = upsampled_labels(
            logits, frame.image.shape[:2], align_corners=runtime.align_corners, dtype=self._predictor.space.dtype
        )
        index = int((state or {}).get("index", 0)) + 1
        return labels, {"index": index}, {"key": True, "age": 0, "ran": ("deep",), "cut": index == 1}


class _Scheduled:
    """PyTorch: the network's parts, each when the schedule says so."""

    def __init__(self, predictor: GridPredictor, runtime: TorchRuntime, schedule: Mapping[str, Any]) -> None:
        from intarsia.models.contract import image_model
        from intarsia.models.video import check_schedule, scheduled

        check_schedule(schedule)
        self._predictor, self._runtime = predictor, runtime
        self.model: VideoSegmenter = scheduled(image_model(runtime.model), **schedule)
        self.framewise = self.model.is_framewise

    def step(self, frame: Frame, state: State | None) -> tuple[LabelArray, State, dict[str, Any]]:
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(self._predictor.working(frame.image)).to(self._runtime.device)
            result, following = self.model.step(given, None if state is None else dict(state))
            logits = result.logits.float().cpu().numpy()
        labels = upsampled_labels(
            logits, frame.image.shape[:2], align_corners=self.model.align_corners, dtype=self._predictor.space.dtype
        )
        return labels, following, {"key": result.key, "age": result.age, "ran": result.ran, "cut": result.cut}
