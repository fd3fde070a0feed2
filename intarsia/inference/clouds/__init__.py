"""Prediction on point clouds: every point labelled, whatever the size."""

from intarsia.inference.clouds.predictor import CloudPredictor

__all__ = ["CloudPredictor"]
