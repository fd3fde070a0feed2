"""From the share of frames that may be key frames to the threshold that gives it, on unlabelled video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from intarsia.errors import DataError
from intarsia.models.video.policies import LearnedDeviation, ScoreChange
from intarsia.models.video.segmenter import VideoSegmenter

_ROUNDS = 14


def tick_ratio(model: VideoSegmenter, frames: Sequence[Tensor]) -> float:
    """Share of a clip's frames, its first excepted, on which the deep part runs under the model's policy."""
    results = list(model.stream(frames))[1:]
    return sum(result.tick for result in results) / len(results)


def calibrate(model: VideoSegmenter, frames: Sequence[Tensor], ratio: float) -> float:
    """Find the threshold at which the deep part runs on a share of frames; the model's policy is set to it.

    The threshold is bisected on the stream itself, because what has changed since the last tick depends on when that
    was. No labels are needed; a threshold holds for the network and the kind of video that it was found on.

    Args:
        model: with `ScoreChange` or `LearnedDeviation` as policy.
        frames: a clip, each frame (N, C, H, W), normalised.
        ratio: wanted share of ticks, between 0 and 1.

    Returns:
        The threshold, the one nearest to the wanted share.

    Raises:
        DataError: the clip is too short, or the policy has no threshold.
    """
    policy = model.policy
    if not isinstance(policy, ScoreChange | LearnedDeviation):
        raise DataError(f"{type(policy).__name__} has no threshold to calibrate; take ScoreChange or LearnedDeviation")
    if len(frames) < 3:
        raise DataError(f"a clip of {len(frames)} frames is too short to calibrate on")
    low, high = _range(model, frames)
    tried: dict[float, float] = {}
    for _ in range(_ROUNDS):
        middle = math.sqrt(low * high)
        model.policy = replace(policy, threshold=middle)
        tried[middle] = tick_ratio(model, frames)
        if abs(tried[middle] - ratio) <= 0.5 / (len(frames) - 1):
            break  # no share of so many frames is nearer
        if tried[middle] > ratio:
            low = middle
        else:
            high = middle
        if high / low < 1.01:
            break
    best = min(tried, key=lambda threshold: abs(tried[threshold] - ratio))
    model.policy = replace(policy, threshold=best)
    return best


def _range(model: VideoSegmenter, frames: Sequence[Tensor]) -> tuple[float, float]:
    """Scores of neighbours give the lower bound, those of the clip's ends the upper."""
    scores: list[float] = []
    learned = isinstance(model.policy, LearnedDeviation)
    with torch.inference_mode():
        lows = [model.parts.cheap(frame) for frame in frames]
        for then, now in [*pairwise(lows), (lows[0], lows[-1])]:
            if learned and model.deviation is not None:
                scores.append(float(model.deviation(model.parts.early(now), model.parts.early(then)).mean()))
            else:
                scores.append(model.propagation.change(model.propagation.anchor(then, model.parts), now, model.parts))
    return max(min(scores) / 4, 1e-9), max(max(scores) * 4, 1e-6)
