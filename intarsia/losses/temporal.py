"""Consistency over time: what is seen twice should get the same logits twice."""

from __future__ import annotations

import torch
from torch import Tensor


def temporal_consistency(logits: Tensor, moved: Tensor, confidence: Tensor) -> Tensor:
    """Mean square difference between logits and those of the frame before, moved along the flow.

    As in Liu et al. 2020, Efficient Semantic Video Segmentation with Per-frame Inference, arXiv:2002.11433, section
    3.1, but averaged over classes too, and over what is confident instead of everything.

    Args:
        logits: (N, C, H, W).
        moved: (N, C, H, W), of the frame before.
        confidence: (N, 1, H, W) from 0 (occluded, or new) to 1: how well the moved frame fits, see `confidence`.
    """
    weight = confidence.float()
    apart = (logits.float() - moved.float()).square().mean(1, keepdim=True)
    total: Tensor = (weight * apart).sum() / weight.sum().clamp_min(1.0)
    return total


def confidence(frame: Tensor, moved: Tensor) -> Tensor:
    """exp(-|difference|) of two frames (N, C, H, W), summed over channels: (N, 1, H, W)."""
    return torch.exp(-(frame.float() - moved.float()).abs().sum(1, keepdim=True))
