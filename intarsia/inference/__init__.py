"""Inference: from a bundle and sources to results."""

from intarsia.inference.pictures.predictor import Band, Predictor
from intarsia.inference.video import FrameResult, VideoPredictor

__all__ = ["Band", "FrameResult", "Predictor", "VideoPredictor"]
