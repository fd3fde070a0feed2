"""Curves: precision and recall at every threshold, and whether confidence is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from intarsia.evaluation.measures.contract import Column, Measure, Measured, Need, Option, Plot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from intarsia.labels import LabelSpace
    from intarsia.metrics import Curve

_NEEDS: dict[Need, str] = {
    "probabilities": "curves are measured on pictures, with a model's probabilities, and not on points or masks"
}
_MOST_POINTS = 200


class Curves:
    """Gathers precision-recall curves and calibration."""

    def __init__(self, space: LabelSpace) -> None:
        from intarsia.metrics import Calibration, PrecisionRecall

        self._space = space
        self._ranking = PrecisionRecall(len(space), ignore_index=space.ignore_index)
        self._calibration = Calibration(len(space), ignore_index=space.ignore_index)

    def add(
        self,
        prediction: NDArray[Any],
        target: NDArray[Any],
        *,
        probabilities: NDArray[np.float32] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Add some rows; see `Gauge`."""
        if probabilities is not None:
            self._ranking.update(probabilities[None], target[None])
            self._calibration.update(probabilities[None], target[None])

    def finish(self) -> Measured:
        """Compute the curves."""
        import numpy as np

        ranking, reliability = self._ranking.compute(), self._calibration.compute()
        best = np.array([curve.best() for curve in ranking.curves], dtype=np.float64).reshape(-1, 2)
        measured = zip(reliability.confidence.tolist(), reliability.accuracy.tolist(), strict=True)
        accuracy = [point for point in measured if not math.isnan(point[0])]
        precision = {name: _points(curve) for name, curve in zip(self._space.names, ranking.curves, strict=True)}
        return Measured(
            title="Ranking and calibration",
            results={"ranking": ranking, "reliability": reliability},
            means={"mean AP": ranking.mean_ap, "calibration error": reliability.ece},
            columns=(
                Column("Average precision", ranking.ap, "ap", "AP"),
                Column("Best threshold", best[:, 0]),
                Column("F1 there", best[:, 1]),
            ),
            plots=(
                Plot("Precision", "recall", precision, by_class=True),
                Plot("Accuracy", "confidence", {"as measured": accuracy, "if confidence were right": [(0, 0), (1, 1)]}),
            ),
        )


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Thin a curve to what a chart can show."""
    step = max(1, len(curve.recall) // _MOST_POINTS)
    return list(zip(curve.recall[::step].tolist(), curve.precision[::step].tolist(), strict=True))


CURVES = Option(
    "Also measure average precision, best thresholds and calibration.",
    lambda wanted: Measure(Curves, _NEEDS),
    needs=_NEEDS,
)
