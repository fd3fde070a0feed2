"""Boundaries: boundary IoU, boundary F1, and the scores of the pixels near boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intarsia.evaluation.measures.contract import Column, Measure, Measured, Need, Option, Plot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from intarsia.labels import LabelSpace
    from intarsia.metrics import BoundaryScores, Scores

_NEEDS: dict[Need, str] = {
    "grid": "boundaries are measured on pictures, not on points",
    "plane": "boundary scores are of pictures; of volumes, measure surface distances (--spacing file)",
}


@dataclass(frozen=True)
class BoundaryReport:
    """Three looks at the boundaries.

    Attributes:
        iou: boundary IoU (Cheng et al. 2021).
        f1: boundary F1 in the semantic convention (Csurka et al. 2013).
        trimap: scores of the pixels within so many pixels of the target's boundaries.
    """

    iou: BoundaryScores
    f1: BoundaryScores
    trimap: dict[int, Scores]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        trimap = {str(radius): scores.to_json() for radius, scores in self.trimap.items()}
        return {"iou": self.iou.to_json(), "f1": self.f1.to_json(), "trimap": trimap}


class Boundaries:
    """Gathers the scores of boundaries."""

    def __init__(self, space: LabelSpace) -> None:
        from intarsia.metrics import BoundaryF1, BoundaryIoU, TrimapScores

        count, ignore = len(space), space.ignore_index
        self._iou = BoundaryIoU(count, ignore_index=ignore)
        self._f1 = BoundaryF1(count, ignore_index=ignore)
        self._trimap = TrimapScores(count, ignore_index=ignore)

    def add(
        self,
        prediction: NDArray[Any],
        target: NDArray[Any],
        *,
        probabilities: NDArray[np.float32] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Add one picture; see `Gauge`."""
        self._iou.update(prediction, target)
        self._f1.update(prediction, target)
        self._trimap.update(prediction, target)

    def finish(self) -> Measured:
        """Compute the scores."""
        found = BoundaryReport(self._iou.compute(), self._f1.compute(), self._trimap.compute())
        near = {
            "pixel accuracy": [(float(radius), scores.pixel_accuracy) for radius, scores in found.trimap.items()],
            "mean IoU": [(float(radius), scores.miou) for radius, scores in found.trimap.items()],
        }
        return Measured(
            title="Boundaries",
            results={"boundary": found},
            means={"boundary IoU": found.iou.mean, "boundary F1": found.f1.mean},
            columns=(
                Column("Boundary IoU", found.iou.per_class, "boundary_iou", "Boundary IoU"),
                Column("Boundary F1", found.f1.per_class, "boundary_f1", "Boundary F1"),
            ),
            plots=(Plot("Near boundaries", "pixels from the boundary, at most", near, last=True),),
        )


BOUNDARY = Option(
    "Also measure boundary IoU, boundary F1 and the scores near boundaries.",
    lambda wanted: Measure(Boundaries, _NEEDS),
    needs=_NEEDS,
)
