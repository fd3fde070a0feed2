"""Prediction: from a bundle and pictures to labels, whole folders of them, and how right they are."""

from __future__ import annotations

from intarsia.inference.evaluate import evaluate
from intarsia.inference.folder import FolderResult, Task, plan_tasks, segment_folder
from intarsia.inference.masks import MaskScores, score_masks
from intarsia.inference.outputs import Target, medium_of, names_file, segment_file, write_outputs
from intarsia.inference.predictor import Band, Predictor
from intarsia.inference.rasters import RasterResult, segment_raster
from intarsia.inference.scoring import Evaluation, Measures
from intarsia.inference.sources import find_bundle, find_images
from intarsia.inference.video import FrameResult, VideoPredictor
from intarsia.inference.videojob import VideoResult, segment_video
from intarsia.inference.volumes import VolumeSegmentation, segment_volume

__all__ = [
    "Band",
    "Evaluation",
    "FolderResult",
    "FrameResult",
    "MaskScores",
    "Measures",
    "Predictor",
    "RasterResult",
    "Target",
    "Task",
    "VideoPredictor",
    "VideoResult",
    "VolumeSegmentation",
    "evaluate",
    "find_bundle",
    "find_images",
    "medium_of",
    "names_file",
    "plan_tasks",
    "score_masks",
    "segment_file",
    "segment_folder",
    "segment_raster",
    "segment_video",
    "segment_volume",
    "write_outputs",
]
