"""Evaluation: how right predictions are, whoever made them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intarsia.evaluation.masks import MaskScores, score_masks
    from intarsia.evaluation.measures import Measures
    from intarsia.evaluation.predictions import evaluate
    from intarsia.evaluation.scoring import Evaluation

__all__ = ["Evaluation", "MaskScores", "Measures", "evaluate", "score_masks"]

# Loaded when they are asked for: the shell's help reads `measures`, and must not wait for torch.
_ROOMS = {
    "Evaluation": "scoring",
    "MaskScores": "masks",
    "Measures": "measures",
    "evaluate": "predictions",
    "score_masks": "masks",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
