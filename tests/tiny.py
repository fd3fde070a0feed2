"""A training that takes a second, for tests that need a finished run; the fixture is `tiny_run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intarsia.training import Run

# Two epochs of a network with half a million weights.
TINY = (
    "training.epochs=2",
    "training.batch_size=4",
    "training.precision=fp32",
    "training.workers=0",
    "training.samples=1",
    "training.validate_every=1",
    "model.architecture=unet",
    "model.options={encoder: test_resnet, channels: [16, 16, 16, 16]}",
    "model.weights=none",
    "optimizer.encoder_lr=null",
    "input.crop=[64, 64]",
)


@dataclass(frozen=True)
class TinyRun:
    """A finished training on drawn scenes."""

    data: Path
    run: Run
