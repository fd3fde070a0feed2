"""Segments: how well connected things agree, by V(Rand) and V(Info)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from intarsia.evaluation.measures.contract import Measure, Measured, Need, Option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from intarsia.labels import LabelSpace

_NEEDS: dict[Need, str] = {"grid": "segments are connected elements of pictures and volumes, not points"}


class Segments:
    """Gathers the agreement of connected things: those of every class but the background, joined by sides only."""

    def __init__(self, space: LabelSpace) -> None:
        from intarsia.instances import thing_classes
        from intarsia.metrics import PartitionAgreement

        self._things = thing_classes(space.names)
        self._metric = PartitionAgreement()
        self._background = next(name for i, name in enumerate(space.names) if i not in self._things)

    def add(
        self,
        prediction: NDArray[Any],
        target: NDArray[Any],
        *,
        probabilities: NDArray[np.float32] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Add one picture or volume; see `Gauge`."""
        from intarsia.instances import NEIGHBOURS, number_instances

        sides = NEIGHBOURS[target.ndim][0]
        self._metric.update(*(number_instances(side, self._things, neighbours=sides) for side in (prediction, target)))

    def finish(self) -> Measured:
        """Compute the agreement."""
        found = self._metric.compute()
        return Measured(
            title="Segments",
            results={"segments": found},
            means={"V(Rand)": found.rand, "V(Info)": found.info},
            notes=(
                f"Segments are things joined by sides, of every class but {self._background}; V(Rand) split "
                f"{found.rand_split:.4f} and merge {found.rand_merge:.4f}, V(Info) split {found.info_split:.4f} and "
                f"merge {found.info_merge:.4f}.",
            ),
        )


SEGMENTS = Option(
    "Also measure V(Rand) and V(Info): whether connected things are found, split or merged.",
    lambda wanted: Measure(Segments, _NEEDS),
    needs=_NEEDS,
)
