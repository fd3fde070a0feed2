"""What a measure is: something that `evaluate` can measure besides the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from intarsia.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from intarsia.labels import LabelSpace

Need: TypeAlias = Literal["grid", "plane", "spacing", "probabilities"]
"""What a measure may need of what is measured: neighbours, two axes, a file that says how far apart its elements are,
the probabilities of all classes."""

Spacing: TypeAlias = "Sequence[float] | Literal['file']"
"""Distance between neighbours along each axis; "file" for what each file says."""


class Result(Protocol):
    """What a metric computes."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""


@dataclass(frozen=True)
class Column:
    """Scores or counts by class.

    Attributes:
        heading: on the report's page.
        values: (C,), NaN where there is none.
        key: column of `classes.csv`; "" leaves it out there.
        short: heading on the terminal; "" leaves it out there.
    """

    heading: str
    values: NDArray[Any]
    key: str = ""
    short: str = ""


@dataclass(frozen=True)
class Plot:
    """Curves in one picture.

    Attributes:
        title: heading.
        x_label: what the points' first number is.
        curves: name -> points.
        by_class: there is a curve a class, in the classes' colours.
        last: each curve's last value is worth telling.
    """

    title: str
    x_label: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    by_class: bool = False
    last: bool = False


@dataclass(frozen=True)
class Measured:
    """What one measure found, ready to be told.

    Attributes:
        title: heading of its section.
        results: what was computed, by its key in JSON.
        means: name -> headline number.
        columns: scores by class.
        plots: curves.
        notes: sentences without which the numbers would mislead.
    """

    title: str
    results: Mapping[str, Result]
    means: Mapping[str, float]
    columns: Sequence[Column] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()


class Gauge(Protocol):
    """What gathers a measure, one whole after the other; or, if it needs probabilities, one part after the other."""

    def add(
        self,
        prediction: NDArray[Any],
        target: NDArray[Any],
        *,
        probabilities: NDArray[np.float32] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Add labels of a picture (H, W), a volume (D, H, W) or a cloud (N,).

        Args:
            prediction: labels.
            target: labels.
            probabilities: (C, h, W) of some rows, for a measure that needs them; then it is given labels of these only.
            spacing: of this one, as its file says it.
        """

    def finish(self) -> Measured:
        """Compute what was measured."""


@dataclass(frozen=True)
class Measure:
    """One thing to measure.

    Attributes:
        start: makes what gathers it, for the classes of a model.
        needs: what it cannot be measured without -> what is said where that is missing.
        spacing: the distances that it measures in, if it does; an official evaluation takes them over.
    """

    start: Callable[[LabelSpace], Gauge]
    needs: Mapping[Need, str] = field(default_factory=dict)
    spacing: Spacing | None = None

    @property
    def by_part(self) -> bool:
        """Whether it is given parts with their probabilities: those of a whole would fill the memory."""
        return "probabilities" in self.needs


@dataclass(frozen=True)
class Option:
    """How a measure is asked for: by a field of `Measures`, and by the flag of that name in the shell.

    Attributes:
        about: what it is, for the shell's help.
        make: from the field's value to the measure.
        needs: what it needs whatever the value is.
        read: from the flag's text to the field's value; None for a flag without text, which makes the value True.
        metavar: what the flag's text is.
    """

    about: str
    make: Callable[[Any], Measure]
    needs: Collection[Need] = ()
    read: Callable[[str], Any] | None = None
    metavar: str = ""


def refuse_unmeasurable(measures: Iterable[Measure], offered: Collection[Need]) -> None:
    """Refuse measures that need more than the data offer.

    Raises:
        UsageError: says what is missing.
    """
    for measure in measures:
        for need, said in measure.needs.items():
            if need not in offered:
                raise UsageError(said)
