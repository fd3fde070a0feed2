"""What the benchmarks of inference share: a network that is also smp's, and how a plain script predicts with a peer."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

LITE, CLASSES = "efficientnet_lite0", 11
SMALL, LARGE = (360, 480), (512, 512)


@torch.inference_mode()
def plain(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """What a plain script does: normalise, pad to the multiple of 16 that smp asks for, forward, argmax."""
    height, width = image.shape[:2]
    x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
    x = F.pad(x, (0, -width % 16, 0, -height % 16))
    logits = model(x)
    logits = logits["out"] if isinstance(logits, dict) else logits
    return logits[..., :height, :width].argmax(1)[0].to(torch.uint8).numpy()
