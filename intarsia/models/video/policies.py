"""When the deep part of a network runs: schedules as objects that know no network and hold no memory of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from intarsia.errors import UsageError
from intarsia.models.video.state import Tensors

# Rounding makes scores of this size out of a still picture, on which no budget need be spent.
_STILL = 1e-4


@dataclass(frozen=True)
class Moment:
    """What a policy may ask about a frame.

    Attributes:
        index: frames since the stream began.
        age: frames since the one whose deep result is held (1 on the frame after it).
        memory: what the policy noted on the frame before.
        change: how much the frame has changed since the deep part last ran; computed only if it is asked for.
        deviation: the share of labels that will have changed, as the model's learned predictor says; likewise.
    """

    index: int
    age: int
    memory: Tensors
    change: Callable[[], float]
    deviation: Callable[[], float]


@dataclass(frozen=True)
class Decision:
    """Whether the deep part runs, and what the policy wants to know on the next frame."""

    tick: bool
    memory: Tensors = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """Base of all policies. The first frame of a stream, of a new size or after a cut ticks whatever they say.

    Attributes:
        max_gap: the deep part runs when what is held is this many frames old; 0 for no limit.
    """

    max_gap: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if self.max_gap < 0:
            raise UsageError(f"max_gap is a number of frames, or 0 for no limit, not {self.max_gap}")

    def decide(self, moment: Moment) -> Decision:
        """Whether the deep part runs on this frame."""
        decision = self.judge(moment)
        if self.max_gap and moment.age >= self.max_gap:
            return Decision(True, decision.memory)
        return decision

    def judge(self, moment: Moment) -> Decision:
        """`decide` without the limit of age."""
        raise NotImplementedError


@dataclass(frozen=True)
class Always(Policy):
    """Every frame: what the image model does."""

    def judge(self, moment: Moment) -> Decision:
        return Decision(True)


@dataclass(frozen=True)
class FixedRate(Policy):
    """Every `every`-th frame.

    Attributes:
        every: frames from tick to tick.
        phase: the frame of the first tick after the one that begins the stream, if earlier than `every`.
    """

    every: int
    phase: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.every < 1 or not 0 <= self.phase < self.every:
            raise UsageError(f"every is at least 1, phase from 0 to every - 1, not {self.every} and {self.phase}")

    def judge(self, moment: Moment) -> Decision:
        return Decision(moment.age >= self.every or (0 < self.phase == moment.index))


def alternating() -> FixedRate:
    """Every second frame (Clockwork Convnets, section 4.2)."""
    return FixedRate(2)


@dataclass(frozen=True)
class ScoreChange(Policy):
    """When the early layers have changed enough since the last tick (Clockwork Convnets, section 4.3).

    Attributes:
        threshold: of the change. Its scale depends on the network and the video: `calibrate` finds it.
    """

    threshold: float

    def judge(self, moment: Moment) -> Decision:
        return Decision(moment.change() >= self.threshold)


@dataclass(frozen=True)
class LearnedDeviation(Policy):
    """When a learned predictor expects this share of labels to have changed (Li et al. 2018, section 3.4).

    Attributes:
        threshold: of the predicted share; `calibrate` finds one.
    """

    threshold: float

    def judge(self, moment: Moment) -> Decision:
        return Decision(moment.deviation() >= self.threshold)


@dataclass(frozen=True)
class Budget(Policy):
    """A share of all frames, those that changed most: the threshold follows the video.

    It rises after each tick and falls after each other frame, by steps whose balance is the wanted share.

    Attributes:
        ratio: share of frames on which the deep part runs, above 0 and up to 1.
        learned: go by the learned deviation instead of the change.
        gain: size of the steps of the threshold's logarithm.
    """

    ratio: float
    learned: bool = False
    gain: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.ratio <= 1 or self.gain <= 0:
            raise UsageError(f"ratio is above 0 and up to 1, gain above 0, not {self.ratio} and {self.gain}")

    def judge(self, moment: Moment) -> Decision:
        score = moment.deviation() if self.learned else moment.change()
        level = float(moment.memory["level"]) if "level" in moment.memory else score
        tick = self.ratio == 1 or (score >= level and score > _STILL)
        level *= math.exp(self.gain * (tick - self.ratio))
        return Decision(tick, {"level": torch.tensor(level, dtype=torch.float64)})


def read_policy(
    *,
    every: int | None = None,
    threshold: float | None = None,
    ratio: float | None = None,
    learned: bool = False,
    max_gap: int = 0,
) -> Policy:
    """The policy that a user's options describe; none of them: every frame.

    Args:
        every: run the deep part on every n-th frame.
        threshold: run it when the change reaches this number.
        ratio: run it on this share of frames.
        learned: threshold and ratio go by the learned deviation.
        max_gap: run it at least every so many frames.

    Raises:
        UsageError: more than one of every, threshold and ratio, or a number out of range.
    """
    given = [
        name for name, value in (("every", every), ("threshold", threshold), ("ratio", ratio)) if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are different schedules; choose one")
    if every is not None:
        return FixedRate(every, max_gap=max_gap)
    if threshold is not None:
        return (LearnedDeviation if learned else ScoreChange)(threshold, max_gap=max_gap)
    if ratio is not None:
        return Budget(ratio, learned=learned, max_gap=max_gap)
    return Always(max_gap=max_gap)
