"""Training: from a recipe and a data set to a bundle."""

from intarsia.training.distributed import is_main_process
from intarsia.training.loop import Run, train

__all__ = ["Run", "is_main_process", "train"]
