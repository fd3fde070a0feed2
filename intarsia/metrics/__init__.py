"""Metrics: stream with `update`, join processes with `merge`, read with `compute`."""

from intarsia.metrics.confusion import ConfusionMatrix, Scores

__all__ = ["ConfusionMatrix", "Scores"]
