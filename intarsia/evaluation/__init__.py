"""Evaluation: how right predictions are, whoever made them."""

from intarsia.evaluation.clouds import evaluate_clouds
from intarsia.evaluation.evaluate import evaluate
from intarsia.evaluation.masks import MaskScores, score_masks
from intarsia.evaluation.scoring import Evaluation, Measures

__all__ = ["Evaluation", "MaskScores", "Measures", "evaluate", "evaluate_clouds", "score_masks"]
