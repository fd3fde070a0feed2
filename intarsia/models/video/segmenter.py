"""The streaming contract: one frame and a state in, one result and the next state out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from intarsia.errors import DataError, UsageError
from intarsia.models.contract import ImageModel, Penalty, Supervised
from intarsia.models.video.clock import Clock
from intarsia.models.video.flow import DISFlow, Flow
from intarsia.models.video.mixers import Mixer
from intarsia.models.video.parts import Maps, Parts
from intarsia.models.video.policies import Always, Decision, FixedRate, Moment, Policy
from intarsia.models.video.propagation import Deviation, Hold, Motion, Propagation
from intarsia.models.video.scenes import SceneCut
from intarsia.models.video.smoothing import TemporalSmoother
from intarsia.models.video.state import State, Tensors, integer, named, under

_SCENES = SceneCut()


@dataclass(frozen=True)
class StepResult:
    """What one frame gave.

    Attributes:
        logits: (N, C, h, w) at the image model's stride.
        key: whether the deep part's result for this very frame is in them.
        age: frames since the one whose deep result is in them; 0 for a key frame.
        tick: whether a deep run was done, or begun, for this frame.
        ran: the parts that ran, in order: cheap, flow, change, deviation, deep, mix, carry, join, smooth.
        cut: whether the stream began anew here, after a cut or with another picture size.
    """

    logits: Tensor
    key: bool
    age: int
    tick: bool
    ran: tuple[str, ...]
    cut: bool


class VideoSegmenter(ImageModel):
    """An image model on video: cheap part on every frame, deep part when the policy says so, one of five in between.

    ``low = cheap(frame)``; on a tick ``high = deep(low)``, else ``high = propagate(high, low)``; ``join(low, high)``.
    Everything that a stream remembers is in its state; the module holds only weights. As an image model, it segments
    each picture as a video of one frame.

    Args:
        parts: the image model and where it is split.
        propagation: what stands in for the deep result between ticks; default: the last one as it is.
        policy: when the deep part runs; default: on every frame.
        mixer: what a deep result becomes given those before it.
        deviation: predictor for the policies that go by it.
        flow: estimator of the motion between frames, for what asks for it.
        smoother: averages the probabilities over time.
        clock: defers deep runs: a tick shows the carried result at once, and the new one when it is there.
        scenes: finds cuts, at which the stream begins anew; None to go on regardless.

    Raises:
        UsageError: a mixer that needs every frame under another policy than `Always`.
    """

    takes_clips = True

    def __init__(
        self,
        parts: Parts,
        *,
        propagation: Propagation | None = None,
        policy: Policy | None = None,
        mixer: Mixer | None = None,
        deviation: Deviation | None = None,
        flow: Flow | None = None,
        smoother: TemporalSmoother | None = None,
        clock: Clock | None = None,
        scenes: SceneCut | None = _SCENES,
    ) -> None:
        super().__init__()
        self.parts = parts
        self.propagation = Hold() if propagation is None else propagation
        self.mixer, self.deviation, self.smoother = mixer, deviation, smoother
        self.flow = DISFlow() if flow is None else flow
        self.policy = Always() if policy is None else policy
        self.clock, self.scenes = clock, scenes
        self.in_channels = parts.image.in_channels
        self.align_corners = parts.image.align_corners
        self.margin = parts.image.margin
        if mixer is not None and mixer.uses_flow and (self.clock is not None or not isinstance(self.policy, Always)):
            raise UsageError(
                f"{type(mixer).__name__} joins each frame with the one before it, so it runs on every frame"
            )

    @property
    def encoder(self) -> nn.Module:  # type: ignore[override]
        """The image model's."""
        return self.parts.image.encoder

    @property
    def base(self) -> ImageModel:
        """The image model, which starting weights are for."""
        return self.parts.image

    def with_base(self, change: Callable[[ImageModel], ImageModel]) -> ImageModel:
        changed = copy.deepcopy(self).eval().requires_grad_(False)
        changed.parts.exchange(change)
        return changed

    def freeze_base(self) -> None:
        """Train everything but the image model, whose batch-norms then keep their statistics too."""
        self.parts.image.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> VideoSegmenter:
        super().train(mode)
        if mode and not any(parameter.requires_grad for parameter in self.parts.image.parameters()):
            self.parts.image.eval()
        return self

    def logits(self, x: Tensor) -> Tensor:
        low = self.parts.cheap(x)
        high = self.parts.deep(low)
        if self.mixer is not None:
            high, _ = self.mixer(high, {}, low, _no_motion)
        return self.parts.join(low, high, fresh=True)

    def anneal(self, progress: float) -> None:
        """As the image model does."""
        self.parts.image.anneal(progress)

    def supervised(self, x: Tensor) -> tuple[Supervised | Penalty, ...]:
        """Of pictures (N, C, H, W) what the image model supervises; of clips (T, N, C, H, W) the logits of all frames.

        The logits of clips are (T * N, C, H, W), frame after frame.
        """
        if x.ndim == 4:
            return self.parts.image.supervised(x)
        schedule = self.policy, self.clock, self.scenes
        self.scenes = None  # a clip is one shot, however fast it moves
        if self.mixer is None:
            self.policy, self.clock = FixedRate(len(x)), None  # propagations learn to carry: one key frame a clip
        try:
            results, _ = self.clip(x)
        finally:
            self.policy, self.clock, self.scenes = schedule
        return self.at_input_size(x[0], [(torch.cat([result.logits for result in results]), 1.0)])

    def clip(self, frames: Tensor, state: State | None = None) -> tuple[list[StepResult], State]:
        """Frames (T, N, C, H, W), step by step; gradients flow through the state."""
        results = []
        state = {} if state is None else state
        for frame in frames:
            result, state = self.step(frame, state)
            results.append(result)
        return results, state

    def stream(self, frames: Iterable[Tensor], state: State | None = None) -> Iterator[StepResult]:
        """Lazily, frame by frame, without gradients; memory does not grow with the stream."""
        state = {} if state is None else state
        for frame in frames:
            with torch.inference_mode():
                result, state = self.step(frame, state)
            yield result

    def step(self, frame: Tensor, state: State | None = None, *, force_key: bool = False) -> tuple[StepResult, State]:
        """One frame: causal, and a pure function of its arguments (of the worker's speed, with a `Worker`).

        Args:
            frame: (N, in_channels, H, W), normalised; N streams in lockstep share the policy's decisions.
            state: what the step before returned; {} or None at the start. It is not changed.
            force_key: run the deep part whatever the policy says.

        Returns:
            The result, and the state for the next frame: tensors and integers under dotted names.
        """
        frame = _canonical(frame)
        past: State = dict(state or {})
        following: State = {}
        cut = self._restart(frame, past, following)
        following["index"] = integer(past, "index") + 1
        work = _Work(self, frame, past)
        age = integer(past, "age") + 1
        arrived = work.arrival()
        anchor: Callable[[], Tensors] = work.anchor
        high = past.get("high")
        if arrived is not None:
            high, found, age = arrived
            anchor = cache(lambda: found)
        first = high is None
        busy = "pending.age" in past and arrived is None
        decision = Decision(first)
        if not (first or busy):
            decision = self.policy.decide(work.moment(age, anchor))
        following |= named("policy.", decision.memory or under(past, "policy."))
        tick = decision.tick or force_key
        key = tick and (first or force_key or self.clock is None)
        if key:
            high, age = work.deep(work.low), 0
            anchor = cache(lambda: self.propagation.anchor(work.low, self.parts))
            shown = high = work.mixed(high, following)
        else:
            following |= named("mixer.", under(past, "mixer.") if arrived is None else {})
            if arrived is not None:
                high = work.mixed(arrived[0], following)
            shown = work.carried(_tensor(high), anchor())
        if key:
            self._discard(past)
        elif busy:
            following |= work.still_pending()
        elif tick and self.clock is not None:
            following |= work.submit(self.clock)
        work.ran.append("join")
        logits = self.parts.join(work.low, _tensor(shown), fresh=key)
        if self.smoother is not None:
            work.ran.append("smooth")
            logits, memory = self.smoother(logits, under(past, "smooth."), frame, work.motion)
            following |= named("smooth.", memory)
        following |= {"age": age, "high": _tensor(high), **named("anchor.", anchor())}
        if self._uses_flow:
            following["frame"] = frame
        return StepResult(logits, key, age, tick, tuple(work.ran), cut), following

    @property
    def is_framewise(self) -> bool:
        """Whether every frame is segmented by itself, whatever came before it."""
        memory = self.mixer, self.smoother, self.clock
        return isinstance(self.policy, Always) and memory == (None, None, None)

    @property
    def _uses_flow(self) -> bool:
        moving = self.smoother is not None or (self.mixer is not None and self.mixer.uses_flow)
        return moving or self.propagation.uses_flow

    def _restart(self, frame: Tensor, past: State, following: State) -> bool:
        """Note the frame's thumbnail; forget the past where another size, or another shot, begins."""
        following |= {"height": frame.shape[2], "width": frame.shape[3]}
        cut = bool(past) and any(past[side] != following[side] for side in ("height", "width"))
        if self.scenes is not None:
            thumbnail = following["thumbnail"] = self.scenes.thumbnail(frame)
            before = past.get("thumbnail")
            cut = cut or (isinstance(before, Tensor) and self.scenes.is_cut(thumbnail, before))
        if cut:
            self._discard(past)
            kept = {name: value for name, value in past.items() if name.startswith("policy.")}
            past.clear()
            past.update(kept)
        return cut

    def _discard(self, past: State) -> None:
        if self.clock is not None and "pending.ticket" in past:
            self.clock.discard(integer(past, "pending.ticket"))


class _Work:
    """The work on one frame: each part at most once, noted in the order in which it ran."""

    def __init__(self, model: VideoSegmenter, frame: Tensor, past: State) -> None:
        self.model, self.frame, self.past = model, frame, past
        self.ran = ["cheap"]
        self.low: Maps = model.parts.cheap(frame)
        self.motion: Motion = cache(self._motion)
        self.anchor: Callable[[], Tensors] = cache(self._anchor)

    def _motion(self) -> Tensor:
        self.ran.append("flow")
        return self.model.flow(self.frame, _tensor(self.past["frame"]))  # type: ignore[no-any-return]

    def _anchor(self) -> Tensors:
        return self.model.propagation.follow(under(self.past, "anchor."), self.low, self.motion)

    def moment(self, age: int, anchor: Callable[[], Tensors]) -> Moment:
        """What the policy may ask."""
        model = self.model

        def change() -> float:
            self.ran.append("change")
            return model.propagation.change(anchor(), self.low, model.parts)

        def deviation() -> float:
            early = anchor().get("early")
            if model.deviation is None or early is None:
                raise UsageError("this model has no learned deviation; take a policy that goes by the change")
            self.ran.append("deviation")
            return float(model.deviation(model.parts.early(self.low), early).mean())

        index = integer(self.past, "index")
        return Moment(index, age, under(self.past, "policy."), cache(change), cache(deviation))

    def deep(self, low: Maps) -> Tensor:
        self.ran.append("deep")
        return self.model.parts.deep(low)

    def mixed(self, high: Tensor, following: State) -> Tensor:
        """A new deep result, given those before it."""
        if self.model.mixer is None:
            return high
        self.ran.append("mix")
        mixed, memory = self.model.mixer(high, under(self.past, "mixer."), self.low, self.motion)
        following |= named("mixer.", memory)
        return mixed  # type: ignore[no-any-return]

    def carried(self, high: Tensor, anchor: Tensors) -> Tensor:
        self.ran.append("carry")
        return self.model.propagation.carry(high, anchor, self.low)

    def arrival(self) -> tuple[Tensor, Tensors, int] | None:
        """The deferred deep result with its anchor and age, if one is there."""
        if "pending.age" not in self.past or self.model.clock is None:
            return None
        low = {int(stage): features for stage, features in under(self.past, "pending.low.").items()}
        age = integer(self.past, "pending.age") + 1
        ticket = integer(self.past, "pending.ticket")
        high = self.model.clock.collect(ticket, age, lambda: self.model.parts.deep(low))
        if high is None:
            return None
        self.ran.append("deep")
        return high, self._pending_anchor(), age

    def _pending_anchor(self) -> Tensors:
        return self.model.propagation.follow(under(self.past, "pending.anchor."), self.low, self.motion)

    def still_pending(self) -> State:
        kept: State = {name: value for name, value in self.past.items() if name.startswith("pending.")}
        kept["pending.age"] = integer(self.past, "pending.age") + 1
        return kept | named("pending.anchor.", self._pending_anchor())

    def submit(self, clock: Clock) -> State:
        parts, low = self.model.parts, self.low
        ticket = clock.submit(lambda: parts.deep(low))
        anchor = self.model.propagation.anchor(low, parts)
        tensors = {str(stage): features for stage, features in low.items()}
        return {
            "pending.age": 0, "pending.ticket": ticket,
            **named("pending.low.", tensors), **named("pending.anchor.", anchor),
        }  # fmt: skip


def _tensor(value: Tensor | int | None) -> Tensor:
    if not isinstance(value, Tensor):
        raise DataError("the stream's state lacks a tensor; pass the state that the step before returned, unchanged")
    return value


def _canonical(frame: Tensor) -> Tensor:
    """The same pixels in plain channels-last memory: slices of a clip have odd strides, which change the rounding."""
    count, channels, height, width = frame.shape
    return frame.permute(0, 2, 3, 1).reshape(-1).view(count, height, width, channels).permute(0, 3, 1, 2)


def _no_motion() -> Tensor:
    raise RuntimeError("a single picture has no motion")
