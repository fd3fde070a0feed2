"""Prediction: from a bundle and pictures to labels, whole folders of them, and how right they are."""

from __future__ import annotations

from intarsia.inference.evaluate import evaluate
from intarsia.inference.folder import FolderResult, Task, plan_tasks, segment_folder
from intarsia.inference.masks import MaskScores, score_masks
from intarsia.inference.predictor import Band, Predictor
from intarsia.inference.scoring import Evaluation, Measures
from intarsia.inference.sources import find_bundle, find_images
from intarsia.inference.video import FrameResult, VideoPredictor
from intarsia.inference.videojob import VideoResult, segment_video

__all__ = [
    "Band",
    "Evaluation",
    "FolderResult",
    "FrameResult",
    "MaskScores",
    "Measures",
    "Predictor",
    "Task",
    "VideoPredictor",
    "VideoResult",
    "evaluate",
    "find_bundle",
    "find_images",
    "plan_tasks",
    "score_masks",
    "segment_folder",
    "segment_video",
]
