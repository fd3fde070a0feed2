"""Prediction on point clouds: every point labelled, whatever the size."""

from intarsia.inference.clouds.evaluate import evaluate_clouds
from intarsia.inference.clouds.predictor import CloudPredictor
from intarsia.inference.clouds.result import CloudSegmentation

__all__ = ["CloudPredictor", "CloudSegmentation", "evaluate_clouds"]
