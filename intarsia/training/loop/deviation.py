"""Teach a low-latency model when to make the next key frame, from its own labels alone.

A step of its own after training, as in the paper: call `fit_deviation` on the trained model; no recipe does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.video import VideoSegmenter
from intarsia.recipe import Clips
from intarsia.transforms.clips import make_clips


def fit_deviation(
    model: VideoSegmenter,
    images: Tensor,
    *,
    settings: Clips | None = None,
    steps: int = 200,
    batch: int = 4,
    lr: float = 1e-3,
    seed: int = 0,
) -> list[float]:
    """Fit the predictor of the share of labels that differ between two frames (Li et al. 2018, section 3.4).

    The pairs come from clips made of stills, at a random distance; what is predicted is how much the image model's own
    labels differ, so that no truth is needed. Everything but the predictor stays as it is.

    Args:
        model: with a `Deviation`.
        images: stills (N, C, H, W), normalised.
        settings: of the clips; None: ten frames at the recipe's usual speed.
        steps: of the optimiser.
        batch: clips a step.
        lr: rate of Adam.
        seed: of the choice of stills, motions and distances.

    Returns:
        The mean squared error of each step.

    Raises:
        ModelError: the model has no such predictor.
    """
    if model.deviation is None:
        raise ModelError("this model has no predictor of the deviation to fit; low_latency has one")
    settings = Clips(frames=10) if settings is None else settings
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model.eval()
    predictor = model.deviation.train().requires_grad_(True)
    optimizer = torch.optim.Adam(predictor.parameters(), lr)
    errors = []
    for _ in range(steps):
        chosen = torch.randint(len(images), (min(batch, len(images)),), generator=generator)
        stills = images[chosen]
        clip = make_clips(stills, torch.zeros_like(stills[:, 0], dtype=torch.long), settings, ignore_index=255)
        gap = int(torch.randint(1, settings.frames, (), generator=generator))
        with torch.no_grad():
            key, now = (model.parts.cheap(clip.frames[t]) for t in (settings.frames - 1 - gap, settings.frames - 1))
            labels = [model.parts.join(low, model.parts.deep(low), fresh=True).argmax(1) for low in (key, now)]
            share = (labels[0] != labels[1]).float().mean((1, 2))
            early = [model.parts.early(low).float() for low in (now, key)]
        loss = F.mse_loss(predictor(*early), share)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(float(loss.detach()))
    model.eval()
    return errors
