"""Choose the arithmetic that trains faster here, float32 or bfloat16, by a short measurement."""

from __future__ import annotations

import copy
import time
from typing import Literal

import torch

from intarsia.models import SegmentationModel
from intarsia.runtimes.torch import has_bf16

Precision = Literal["fp32", "bf16"]
_ROUNDS = 2


def choose_precision(model: SegmentationModel, shape: tuple[int, ...], batch: int, device: torch.device) -> Precision:
    """Time forward and backward of one batch of (channels, *S) inputs in both; the model is left as it was."""
    if not has_bf16(device.type):
        return "fp32"
    if device.type == "cuda":
        return "bf16"
    trial = copy.deepcopy(model).train()
    images = torch.rand(min(batch, 4), *shape).to(device)
    if images.ndim == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.random.fork_rng(devices=[]):
        seconds = {precision: _seconds(trial, images, precision) for precision in ("fp32", "bf16")}
    return "bf16" if seconds["bf16"] < seconds["fp32"] else "fp32"


def _seconds(model: SegmentationModel, images: torch.Tensor, precision: str) -> float:
    rounds = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(images)
        logits.float().square().mean().backward()
        rounds.append(time.perf_counter() - start)
    return min(rounds[1:])
