"""Overlap and surface scores of one structure, case by case, as the LiTS challenge reports them.

Conventions (Bilic et al. 2023, section 3.4, and the challenge's own script, PatrickChrist/LITS-CHALLENGE):
    * Dice per case is the mean over the cases that hold the structure in either map; a case that holds it in neither
      has no score. Global Dice pools the elements of all cases.
    * VOE is 1 - IoU; RVD is (prediction - truth) / truth, and has no value where the truth is empty.
    * ASSD and MSD (the largest surface distance) of a case in which only one map holds the structure are 0, as in the
      script; such cases are counted as misses, because that flatters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from intarsia.arrays import as_array
from intarsia.errors import UsageError
from intarsia.metrics.arrays import mean, plain, ratio
from intarsia.metrics.surface import surface_distances


@dataclass(frozen=True)
class CaseScores:
    """One case; NaN for what does not exist there."""

    name: str
    dice: float
    voe: float
    rvd: float
    assd: float
    msd: float


@dataclass(frozen=True)
class StructureScores:
    """All cases.

    Attributes:
        dice: mean of the cases.
        global_dice: of all elements together.
        voe: volumetric overlap error, mean of the cases.
        rvd: relative volume difference, mean of the cases.
        assd: average symmetric surface distance, in the units of the spacing, mean of the cases.
        msd: largest symmetric surface distance, mean of the cases.
        misses: cases in which only one map holds the structure.
        cases: each.
    """

    dice: float
    global_dice: float
    voe: float
    rvd: float
    assd: float
    msd: float
    misses: int
    cases: tuple[CaseScores, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        values = {name: plain(value) for name, value in vars(self).items() if name != "cases"}
        rows = [
            {name: value if name == "name" else plain(value) for name, value in vars(c).items()} for c in self.cases
        ]
        return values | {"cases": rows}


class StructureCases:
    """Scores of one structure over many cases, one volume (or picture) at a time."""

    def __init__(self) -> None:
        self._cases: list[CaseScores] = []
        self._sums = np.zeros(3, dtype=np.int64)
        self._misses = 0

    def update(self, prediction: ArrayLike, target: ArrayLike, *, spacing: Sequence[float], name: str = "") -> None:
        """Add one case.

        Args:
            prediction: (D, H, W) or (H, W) mask of the structure.
            target: mask of the same shape.
            spacing: distance between neighbours along each axis.
            name: of the case.

        Raises:
            UsageError: the spacing is not positive, or has another number of axes than the masks.
            DataError: the shapes differ.
        """
        prediction, target = as_array(prediction, "masks"), as_array(target, "masks")
        axes = target.ndim
        if axes != len(spacing):
            raise UsageError(
                f"the masks have {axes} axes, and the spacing {len(spacing)} numbers; give one for each axis"
            )
        distances = surface_distances(prediction, target, spacing=spacing)
        predicted, truth = prediction != 0, target != 0
        counts = np.array([(predicted & truth).sum(), predicted.sum(), truth.sum()], dtype=np.int64)
        self._sums += counts
        hits, guessed, true = (int(count) for count in counts)
        missed = math.isinf(distances.hausdorff)
        self._misses += missed
        self._cases.append(
            CaseScores(
                name,
                dice=float(ratio(2 * hits, guessed + true)),
                voe=1 - float(ratio(hits, guessed + true - hits)),
                rvd=float(ratio(guessed - true, true)),
                assd=0.0 if missed else distances.assd,
                msd=0.0 if missed else distances.hausdorff,
            )
        )

    def compute(self) -> StructureScores:
        """Scores so far."""
        hits, guessed, true = (int(count) for count in self._sums)
        means = {
            key: mean(np.array([getattr(case, key) for case in self._cases]))
            for key in ("dice", "voe", "rvd", "assd", "msd")
        }
        return StructureScores(
            **means, global_dice=float(ratio(2 * hits, guessed + true)), misses=self._misses, cases=tuple(self._cases)
        )
