"""Less flicker for any model: probabilities averaged over time along the flow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intarsia.errors import UsageError
from intarsia.models.layers import resize
from intarsia.models.video.flow import photometric_change, resize_flow, warp
from intarsia.models.video.propagation import Motion
from intarsia.models.video.state import Tensors

_SMALLEST = 1e-30


class TemporalSmoother(nn.Module):
    """A running average of probabilities, moved along the flow, that lets go where the moved picture does not fit.

    ``p = (1 - s g) p_t + s g warp(p_(t-1))`` with ``g = exp(-change / tolerance)`` at each place.

    Args:
        strength: s, from 0 (off) to below 1.
        tolerance: of the change between the frame and the moved one before, in deviations of a pixel.

    Raises:
        UsageError: a number out of range.
    """

    def __init__(self, strength: float = 0.5, tolerance: float = 0.3) -> None:
        super().__init__()
        if not 0 <= strength < 1 or tolerance <= 0:
            raise UsageError(f"strength is from 0 to below 1, tolerance above 0, not {strength} and {tolerance}")
        self.strength, self.tolerance = strength, tolerance

    def forward(self, logits: Tensor, memory: Tensors, frame: Tensor, motion: Motion) -> tuple[Tensor, Tensors]:
        """Logits (N, C, h, w) of a frame and the memory, empty at the start -> smoothed logits, and the next memory."""
        probabilities = logits.float().softmax(1)
        if memory:
            size = (logits.shape[2], logits.shape[3])
            change = photometric_change(frame, warp(memory["frame"], motion()))
            weight = self.strength * torch.exp(-resize(change, size) / self.tolerance)
            before = warp(memory["probabilities"], resize_flow(motion(), size))
            probabilities = torch.lerp(probabilities, before, weight)
        # The logarithm of a probability is a logit of it; zero has none.
        return probabilities.clamp_min(_SMALLEST).log(), {"probabilities": probabilities, "frame": frame}
