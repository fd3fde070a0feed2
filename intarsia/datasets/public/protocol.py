"""What an official evaluation is: which classes count, what void means, which scores are told.

In all of them one confusion matrix is summed over the whole split, elements whose truth is ignored are not counted, and
a prediction that is none of the data set's classes is a miss of the true class (and a false positive of none).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from intarsia.datasets.splits import Item
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix
from intarsia.metrics.arrays import plain


@dataclass(frozen=True)
class ScoreTable:
    """Scores by row, for instance by class: a row is a name and a number for each column, NaN where there is none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Findings:
    """A part of a protocol's scores; see `ProtocolScores`."""

    values: dict[str, float]
    tables: tuple[ScoreTable, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProtocolScores:
    """What a protocol tells.

    Attributes:
        protocol: its name.
        values: the headline numbers, in the order in which papers tell them.
        tables: the numbers behind them.
        notes: what could not be measured, and why.
    """

    protocol: str
    values: dict[str, float]
    tables: tuple[ScoreTable, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        return {
            "protocol": self.protocol,
            "values": {name: plain(value) for name, value in self.values.items()},
            "tables": {
                table.title: {
                    row: dict(zip(table.columns, map(plain, values), strict=True)) for row, values in table.rows
                }
                for table in self.tables
            },
            "notes": list(self.notes),
        }


class Extra(Protocol):
    """What a protocol measures besides the confusion matrix, picture by picture."""

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture's labels, both in the data set's classes."""

    def finish(self) -> Findings:
        """The scores."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """One official evaluation.

    Attributes:
        name: for `--protocol`.
        about: what it tells, in a line.
        source: where it is defined.
        spaces: the label spaces that it is defined for.
        summarise: from the matrix (and those of the folders that the pictures lie in) to the scores.
        extra: what it measures besides, or None.
    """

    name: str
    about: str
    source: str
    spaces: Callable[[], tuple[LabelSpace, ...]]
    summarise: Callable[[LabelSpace, ConfusionMatrix, Mapping[str, ConfusionMatrix]], Findings]
    extra: Callable[[LabelSpace, Sequence[float] | None], Extra] | None = None

    def check(self, space: LabelSpace) -> None:
        """Refuse data in other classes.

        Raises:
            UsageError: the classes are not those of the protocol; says which differ.
        """
        known = self.spaces()
        if any(set(space.names) == set(one.names) for one in known):
            return
        closest = max(known, key=lambda one: len(set(one.names) & set(space.names)))
        parts = [
            f"{what}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
            for what, names in (
                ("missing", [name for name in closest.names if name not in space.names]),
                ("not among them", [name for name in space.names if name not in closest.names]),
            )
            if names
        ]
        raise UsageError(
            f"the protocol {self.name} is defined for {' or '.join(str(len(one)) for one in known)} classes; the data "
            f"has others ({'; '.join(parts)}); open the data set in its official layout (intarsia data info)"
        )

    def pooled(self, matrices: Sequence[ConfusionMatrix], space: LabelSpace) -> ProtocolScores:
        """Score several folds together: their counts are summed, not their scores averaged.

        Args:
            matrices: one of each fold.
            space: the classes.

        Raises:
            UsageError: no matrices, or the protocol is not defined for these classes.
        """
        if not matrices:
            raise UsageError("pooling needs the counts of at least one fold")
        total = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
        for matrix in matrices:
            total.merge(matrix)
        return ProtocolScorer(self, space).finish(total, {})


class ProtocolScorer:
    """Gathers what a protocol needs beside the confusion matrix.

    Args:
        protocol: the official evaluation.
        space: the data set's classes.
        spacing: distance between neighbours along each axis, for protocols that measure distances; None for 1.

    Raises:
        UsageError: the protocol is not defined for these classes.
    """

    def __init__(self, protocol: EvaluationProtocol, space: LabelSpace, spacing: Sequence[float] | None = None) -> None:
        protocol.check(space)
        self.protocol = protocol
        self.space = space
        self._extra = protocol.extra(space, spacing) if protocol.extra else None

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture (H, W), volume (D, H, W) or cloud (N,): labels in the data set's classes."""
        if self._extra is not None:
            self._extra.add(item, prediction, target)

    def finish(self, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> ProtocolScores:
        """Compute the scores.

        Args:
            matrix: the counts of the whole split.
            groups: the counts by folder.
        """
        found = self.protocol.summarise(self.space, matrix, groups)
        more = self._extra.finish() if self._extra is not None else Findings({})
        return ProtocolScores(
            self.protocol.name, found.values | more.values, (*found.tables, *more.tables), (*found.notes, *more.notes)
        )


def averages(names: Mapping[str, str]) -> Callable[..., Findings]:
    """Take headlines from the scores of the matrix: name in the paper -> attribute of `Scores`."""

    def summarise(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
        scores = matrix.compute()
        values = {said: float(getattr(scores, attribute)) for said, attribute in names.items()}
        table = ScoreTable(
            "classes",
            ("IoU", "accuracy"),
            tuple((name, (float(scores.iou[i]), float(scores.accuracy[i]))) for i, name in enumerate(space.names)),
        )
        return Findings(values, (table,))

    return summarise


def of_one_class(name: str) -> Callable[..., Findings]:
    """Take precision, recall, F1, accuracy and IoU of one class against the rest."""

    def summarise(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
        scores, index = matrix.compute(), space.index(name)
        values = {
            "precision": float(scores.precision[index]),
            "recall": float(scores.accuracy[index]),
            "F1": float(scores.f1[index]),
            "accuracy": float(scores.pixel_accuracy),
            f"{name} IoU": float(scores.iou[index]),
        }
        return Findings(values)

    return summarise


def nothing(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """Tell nothing of the matrix: for protocols whose scores are all measured besides it."""
    return Findings({})


PLAIN = averages({"mean IoU": "miou", "pixel accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy"})
"""The headlines of most data sets."""
