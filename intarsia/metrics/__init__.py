"""Metrics: stream with `update`, join processes with `merge`, read with `compute`."""

from intarsia.metrics.boundary import boundary_band
from intarsia.metrics.confusion import ConfusionMatrix, Scores

__all__ = ["ConfusionMatrix", "Scores", "boundary_band"]
