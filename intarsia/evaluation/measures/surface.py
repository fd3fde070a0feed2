"""Surfaces: Hausdorff distance, its 95th percentile, and the average distance, in the units of the spacing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from intarsia.errors import UsageError
from intarsia.evaluation.measures.contract import Column, Measure, Measured, Need, Option, Spacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from intarsia.labels import LabelSpace

_NEEDS: dict[Need, str] = {"grid": "surface distances are measured on pictures and volumes, not on points"}
_OF_FILES: dict[Need, str] = {"spacing": "only volumes say how far apart their voxels are; give the spacing in numbers"}


class Surfaces:
    """Gathers surface distances.

    Args:
        space: the classes.
        spacing: distance between neighbours along each axis, or "file".

    Raises:
        UsageError: the spacing is not positive.
    """

    def __init__(self, space: LabelSpace, spacing: Spacing) -> None:
        from intarsia.metrics import SurfaceDistance

        self._own = spacing == "file"
        # Where each volume brings its own spacing, this one is never used.
        steps = (1.0, 1.0, 1.0) if isinstance(spacing, str) else spacing
        self._metric = SurfaceDistance(len(space), spacing=steps, ignore_index=space.ignore_index)

    def add(
        self,
        prediction: NDArray[Any],
        target: NDArray[Any],
        *,
        probabilities: NDArray[np.float32] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Add one picture or volume; see `Gauge`."""
        self._metric.update(prediction, target, spacing=spacing if self._own else None)

    def finish(self) -> Measured:
        """Compute the distances."""
        found = self._metric.compute()
        misses = int(found.misses.sum())
        note = "Distances are in the units of the spacing."
        if misses:
            note += f" Classes found in only one of truth and prediction: {misses}; each counts the picture's diagonal."
        return Measured(
            title="Surface distances",
            results={"surface": found},
            means={"mean HD": found.mean_hausdorff, "mean HD95": found.mean_hd95, "mean ASSD": found.mean_assd},
            columns=(
                Column("Hausdorff", found.hausdorff, "hausdorff", "HD"),
                Column("HD95", found.hd95, "hd95", "HD95"),
                Column("ASSD", found.assd, "assd", "ASSD"),
                Column("Pictures", found.images),
                Column("Misses", found.misses),
            ),
            notes=(note,),
        )


def read_spacing(text: str) -> tuple[float, ...] | str:
    """Read the numbers of --spacing; one number stands for both axes, the word "file" for what each volume says.

    Raises:
        UsageError: the text is neither, or more than three numbers.
    """
    if text == "file":
        return text
    try:
        steps = tuple(float(part) for part in text.split(","))
    except ValueError:
        steps = ()
    if len(steps) not in (1, 2, 3):
        raise UsageError(
            f"--spacing is one number, or two with a comma between (row,column), of volumes three "
            f"(slice,row,column) or the word file, not {text!r}"
        )
    return steps * 2 if len(steps) == 1 else steps


def _measure(spacing: Spacing) -> Measure:
    needs = _NEEDS | _OF_FILES if spacing == "file" else _NEEDS
    return Measure(partial(Surfaces, spacing=spacing), needs, spacing)


SURFACE = Option(
    "mm (or the like) per pixel: also measure surface distances in it. Of volumes: file, for their own mm.",
    _measure,
    needs=_NEEDS,
    read=read_spacing,
    metavar="ROW,COLUMN",
)
