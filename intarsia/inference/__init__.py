"""Prediction: from a bundle and pictures to labels, whole folders of them, and how right they are."""

from __future__ import annotations

import os
from collections.abc import Sequence

from intarsia.bundle import Bundle
from intarsia.inference.evaluate import Evaluation, evaluate
from intarsia.inference.fast import Precision
from intarsia.inference.folder import FolderResult, Task, plan_tasks, segment_folder
from intarsia.inference.predictor import Band, Predictor
from intarsia.inference.sources import find_bundle, find_images


def load(
    name: str | os.PathLike[str],
    *,
    tile: int = 512,
    overlap: int = 128,
    long_side: int | None = None,
    tta: bool = False,
    scales: Sequence[float] = (1.0,),
    scores: bool = False,
    precision: Precision = "auto",
    device: str = "auto",
) -> Predictor:
    """Load a model to predict with.

    Args:
        name: a bundled model, a bundle file, or a run folder (its best weights).
        tile: see `Predictor`, as all that follow.
        overlap: pixels that neighbouring tiles share.
        long_side: working size instead of the bundle's.
        tta: average over mirror images.
        scales: average over sizes.
        scores: also return scores.
        precision: arithmetic of the network.
        device: where it computes.

    Raises:
        UsageError: no bundled model has this name, or an option is out of range.
        ModelError: the file is not usable.
    """
    return Predictor(
        Bundle.load(find_bundle(name)),
        tile=tile,
        overlap=overlap,
        long_side=long_side,
        tta=tta,
        scales=scales,
        scores=scores,
        precision=precision,
        device=device,
    )


__all__ = [
    "Band",
    "Evaluation",
    "FolderResult",
    "Predictor",
    "Task",
    "evaluate",
    "find_bundle",
    "find_images",
    "load",
    "plan_tasks",
    "segment_folder",
]
