"""CamVid as video: clips that a camera draws over its stills, and its dense drive to score on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.claims.fitting import Budget, fit, network, normalised
from benchmarks.claims.pictures import decoder
from benchmarks.claims.scenes import IGNORE, Batch, Pixels, Scenes, as_input, camvid, crops
from intarsia.metrics import ConfusionMatrix, TemporalConsistency
from intarsia.models import ImageModel
from intarsia.models.layers import resize
from intarsia.models.video import DISFlow, VideoSegmenter
from intarsia.recipe import Clips
from intarsia.transforms.clips import make_clips

FRAMES = 4
# Between two frames of the drive at 15 Hz, and what a drawn camera moves to match it.
SHIFT, ZOOM = 0.01, 0.03


@dataclass(frozen=True)
class Drive:
    """Some frames of the validation drive at 240x180, as a network takes them.

    Attributes:
        frames: (1, 3, H, W) each.
        truths: (H, W) each, of that size.
        flows: (H, W, 2) each, from a frame to the one before; of the first zeros.
        classes: their number.
    """

    frames: Sequence[Tensor]
    truths: Sequence[Pixels]
    flows: Sequence[NDArray[np.float32]]
    classes: int


def parent(seed: int, *, output_stride: int = 8) -> ImageModel:
    """DeepLabv3+ of the claim about the decoder, at another stride: its weights do not depend on it."""
    model = network(
        "deeplabv3plus", seed=seed, classes=11, encoder="efficientnet_lite0", channels=64, output_stride=output_stride
    )
    model.load_state_dict(decoder.trained("deeplabv3plus", seed).state_dict())
    return model.eval()


@lru_cache(maxsize=2)
def drive(step: int, noise: float = 0.0) -> Drive:
    """Every `step`-th frame; `noise` is the deviation of what is added to each, in deviations of a pixel."""
    scenes = camvid("val")
    model = network("deeplabv3plus", seed=0, classes=11, encoder="efficientnet_lite0", channels=64)
    random = torch.Generator().manual_seed(0)
    frames = [normalised(model, as_input(image[None])) for image in scenes.images[::step]]
    measure = DISFlow("medium")
    flows = [np.zeros((*scenes.labels[0].shape, 2), np.float32)]
    flows += [measure(now, before)[0].permute(1, 2, 0).numpy() for before, now in pairwise(frames)]
    seen = [frame + noise * torch.randn(frame.shape, generator=random) for frame in frames]
    return Drive(seen, scenes.labels[::step], flows, scenes.classes)


def clips(
    scenes: Scenes, budget: Budget, seed: int, *, speed: float = 1.0, noise: float = 0.0, frames: int = FRAMES
) -> Iterator[Batch]:
    """Clips (T, N, 3, H, W) of crops over which a camera moves, `speed` times as fast as the drive's at 15 Hz."""
    settings = Clips(frames=frames, shift=speed * SHIFT, zoom=speed * ZOOM)
    model = network("deeplabv3plus", seed=0, classes=scenes.classes, encoder="efficientnet_lite0", channels=64)
    for step, batch in enumerate(crops(scenes, budget.crop, budget.batch, budget.steps, seed)):
        with torch.random.fork_rng(devices=[]):  # the same clips for all arms, whatever else they draw
            torch.manual_seed(100_000 * seed + step)
            clip = make_clips(normalised(model, batch.images), batch.labels, settings, ignore_index=IGNORE)
            seen = clip.frames + noise * torch.randn(clip.frames.shape)
        yield Batch(seen, clip.labels.flatten(0, 1), clip.flow)


def fit_on_clips(model: VideoSegmenter, batches: Iterator[Batch], budget: Budget, seed: int) -> VideoSegmenter:
    """Train what is not frozen of a video model, on all frames of each clip."""
    fit(model, batches, budget, seed=seed, supervise=lambda batch: model.supervised(batch.images))
    return model


@torch.inference_mode()
def scored(model: VideoSegmenter, on: Drive, *, start: int = 0) -> dict[str, float]:
    """Mean IoU of a stream over a drive, its temporal consistency, and the share of frames on which the deep part ran.

    With `start`, a stream that began earlier: what a fixed schedule gives in another phase.
    """
    matrix = ConfusionMatrix(on.classes, ignore_index=IGNORE)
    steady = TemporalConsistency(on.classes, ignore_index=IGNORE)
    before, ran = None, 0
    for index, result in enumerate(model.stream(on.frames[start:]), start):
        labels = resize(result.logits, on.truths[index].shape, align_corners=model.align_corners)[0].argmax(0).numpy()
        matrix.update(labels, on.truths[index])
        if before is not None:
            steady.update(labels, before, on.flows[index])
        before, ran = labels, ran + ("deep" in result.ran)
    return {
        "miou": matrix.compute().miou,
        "consistency": steady.compute().miou,
        "deep_share": ran / (len(on.frames) - start),
    }


def over_phases(model: VideoSegmenter, on: Drive, phases: int) -> dict[str, float]:
    """`scored` averaged over the phases of a schedule that repeats itself after so many frames."""
    found = [scored(model, on, start=phase) for phase in range(phases)]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}
