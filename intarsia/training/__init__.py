"""Training: from a recipe and a data set to a bundle."""

from intarsia.training.loop import Run, train

__all__ = ["Run", "train"]
