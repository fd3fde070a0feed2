"""Make clips of stills as the loop goes: for video models, and for steadier image models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from intarsia.losses.temporal import confidence, temporal_consistency
from intarsia.models import Supervised
from intarsia.models.layers import resize
from intarsia.models.video import warp
from intarsia.recipe import Clips
from intarsia.transforms.clips import Clip, make_clips


class ClipTraining:
    """Turns a batch of stills into clips, and adds the loss of consistency.

    Args:
        settings: of the clips.
        ignore_index: label of what lies outside the stills.
    """

    def __init__(self, settings: Clips, *, ignore_index: int) -> None:
        self.settings, self._ignore_index = settings, ignore_index

    def make(self, images: Tensor, target: Tensor) -> Clip:
        """(N, C, H, W) and (N, H, W) -> clips of T frames."""
        return make_clips(images, target, self.settings, ignore_index=self._ignore_index)

    def consistency(self, outputs: Sequence[Supervised], clip: Clip) -> Tensor:
        """The weighted loss of consistency between successive frames; 0 if the recipe has none.

        Args:
            outputs: whose first logits are (T * N, C, h, w), frame after frame.
            clip: what they are of.
        """
        if not self.settings.consistency:
            return torch.zeros(())
        logits = resize(outputs[0].logits, clip.frames.shape[3:])  # where the motion is known
        logits = logits.view(*clip.frames.shape[:2], *logits.shape[1:])
        terms = []
        for t, flow in enumerate(clip.flow):
            fits = confidence(clip.frames[t + 1], warp(clip.frames[t], flow))
            terms.append(temporal_consistency(logits[t + 1], warp(logits[t], flow), fits))
        return self.settings.consistency * torch.stack(terms).mean()
