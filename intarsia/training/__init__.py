"""Train: from a recipe and a data set to a bundle."""

from intarsia.training.dispatch import train
from intarsia.training.distributed import is_main_process
from intarsia.training.loop.rehearsal import Rehearsal, rehearse
from intarsia.training.plan.setup import Run

__all__ = ["Rehearsal", "Run", "is_main_process", "rehearse", "train"]
