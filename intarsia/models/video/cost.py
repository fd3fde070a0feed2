"""What the parts of a video model cost, in multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from intarsia.models.cost import counting
from intarsia.models.video.segmenter import VideoSegmenter


def part_gmacs(model: VideoSegmenter, size: tuple[int, int]) -> dict[str, float]:
    """Thousand million multiply-accumulates of each part by its name in `StepResult.ran`, for one frame.

    Convolutions and matrix products are counted, as in `intarsia.models.cost.gmacs`. Estimating a flow and moving maps
    along it has none of them and counts as 0: measure its time.

    Args:
        model: in evaluation mode, as it was built (not one that was made faster for prediction).
        size: height and width of the frame in pixels.
    """
    parts, counted = model.parts, dict.fromkeys(("cheap", "flow", "change", "deep", "join", "carry", "smooth"), 0.0)

    def count(name: str, call: Callable[[], Any]) -> Any:
        with counting() as counter:
            result = call()
        counted[name] = counter.get_total_flops() / 2e9
        return result

    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        frame = torch.empty(1, model.in_channels, *size)
        low = count("cheap", lambda: parts.cheap(frame))
        high = count("deep", lambda: parts.deep(low))
        motion = torch.empty(1, 2, *size)

        def flow() -> Tensor:
            return motion

        anchor = model.propagation.follow(model.propagation.anchor(low, parts), low, flow)
        count("carry", lambda: model.propagation.carry(high, anchor, low))
        count("join", lambda: parts.join(low, high, fresh=False))
        early = parts.early(low)
        if model.deviation is not None:
            count("deviation", lambda: model.deviation and model.deviation(early, early))
        if model.mixer is not None:
            mixer = model.mixer
            _, memory = mixer(high, {}, low, flow)
            count("mix", lambda: mixer(high, memory, low, flow))
    return counted


def step_gmacs(ran: Iterable[str], parts: dict[str, float]) -> float:
    """What one step cost, from the parts that ran."""
    return sum(parts.get(name, 0.0) for name in ran)
