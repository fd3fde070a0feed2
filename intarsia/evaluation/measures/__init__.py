"""What can be measured besides the confusion matrix. This room loads no numpy, because the shell's help reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from intarsia.evaluation.measures.boundary import BOUNDARY
from intarsia.evaluation.measures.contract import Measure, Option, Spacing
from intarsia.evaluation.measures.curves import CURVES
from intarsia.evaluation.measures.segments import SEGMENTS
from intarsia.evaluation.measures.surface import SURFACE

_OPTION = "option"


@dataclass(frozen=True)
class Measures:
    """What is measured besides the confusion matrix: an iterable of the measures that were asked for.

    Attributes:
        boundary: boundary IoU, boundary F1 and the scores near boundaries.
        spacing: distance between neighbouring rows and columns (mm per pixel, say), of volumes between slices, rows and
            columns, for surface distances; "file" takes what each volume's file says; None measures none.
        segments: V(Rand) and V(Info) of connected things, of every class but the background.
        curves: precision-recall curves and calibration, which need the probabilities of all classes.
    """

    boundary: bool = field(default=False, metadata={_OPTION: BOUNDARY})
    spacing: Spacing | None = field(default=None, metadata={_OPTION: SURFACE})
    segments: bool = field(default=False, metadata={_OPTION: SEGMENTS})
    curves: bool = field(default=False, metadata={_OPTION: CURVES})

    def __iter__(self) -> Iterator[Measure]:
        for name, option in options(type(self)).items():
            value = getattr(self, name)
            if value is not None and value is not False:
                yield option.make(value)


def options(table: type[Measures] = Measures) -> dict[str, Option]:
    """How each measure is asked for, by the field of `Measures`."""
    return {one.name: one.metadata[_OPTION] for one in fields(table)}


__all__ = ["Measure", "Measures", "Option", "options"]
