"""A network of points as a plain function of arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.models.contract import SegmentationModel

# Points that a network sees at once, over all blocks of a batch: enough to keep the cores busy.
BATCH_POINTS = 1 << 14


def as_function(
    model: SegmentationModel, device: torch.device, *, bf16: bool = False
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Blocks (B, P, channels) to class probabilities (B, P, C).

    Args:
        model: in evaluation mode.
        device: where it lies.
        bf16: compute in bfloat16 where torch's autocast does.
    """

    @torch.inference_mode()
    def run(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        x = torch.from_numpy(blocks).to(device).transpose(1, 2)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = model.logits(x)
        found: NDArray[np.float32] = logits.float().softmax(1).transpose(1, 2).cpu().numpy()
        return found

    return run
