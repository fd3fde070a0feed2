"""Training: from a recipe and a data set to a bundle."""

from intarsia.training.distributed import is_main_process
from intarsia.training.plan.setup import Run
from intarsia.training.start import train

__all__ = ["Run", "is_main_process", "train"]
