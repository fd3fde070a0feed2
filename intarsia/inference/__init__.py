"""Inference: from a bundle and sources to results."""

from intarsia.inference.identity import Identity
from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.inference.pictures.rows import Rows
from intarsia.inference.predictor import Predictor
from intarsia.inference.steady import SteadyPredictor
from intarsia.inference.video import FrameResult, VideoPredictor
from intarsia.inference.volumes import segment_volume

__all__ = [
    "FrameResult",
    "GridPredictor",
    "Identity",
    "Predictor",
    "Rows",
    "SteadyPredictor",
    "VideoPredictor",
    "segment_volume",
]
