"""Prediction: from a bundle and pictures to labels, whole folders of them, and how right they are."""

from __future__ import annotations

from intarsia.inference.evaluate import Evaluation, evaluate
from intarsia.inference.folder import FolderResult, Task, plan_tasks, segment_folder
from intarsia.inference.predictor import Band, Predictor
from intarsia.inference.sources import find_bundle, find_images

__all__ = [
    "Band",
    "Evaluation",
    "FolderResult",
    "Predictor",
    "Task",
    "evaluate",
    "find_bundle",
    "find_images",
    "plan_tasks",
    "segment_folder",
]
