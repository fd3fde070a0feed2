"""Scores of predicted masks that lie in a folder, whoever made them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.classlists import ClassList
from intarsia.datasets.layouts.maskfolders import MaskFolders, open_mask_folders
from intarsia.datasets.layouts.volumefolders import are_volumes, open_volume_folders
from intarsia.errors import DataError
from intarsia.evaluation.measures.contract import Measure, Need, refuse_unmeasurable
from intarsia.evaluation.scoring import Evaluation, Scorer
from intarsia.files import local

_OFFERED: dict[str, tuple[Need, ...]] = {"picture": ("grid", "plane"), "volume": ("grid", "spacing")}
"""What measures need, and masks have."""


@dataclass(frozen=True)
class MaskScores:
    """Scores of a folder of masks, and what was left out of them.

    Attributes:
        evaluation: the scores.
        folders: the masks that were paired, and how they are read.
        failures: id -> reason, of pairs that could not be compared.
    """

    evaluation: Evaluation
    folders: MaskFolders
    failures: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether every target was compared."""
        return not self.failures and not self.folders.missing

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            **self.evaluation.to_json(),
            "missing": [str(path) for path in self.folders.missing],
            "extra": [str(path) for path in self.folders.extra],
            "failures": self.failures,
            "notes": list(self.folders.notes),
        }


def score_masks(
    prediction: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    *,
    classes: ClassList | None = None,
    ignore: Sequence[int] = (),
    measures: Iterable[Measure] = (),
    progress: Callable[[int, int], None] | None = None,
) -> MaskScores:
    """Compare two folders of masks or label volumes, paired by name; see `open_mask_folders`.

    Args:
        prediction: folder of predicted masks, or an annotation tool's export.
        truth: folder of true masks, or an export.
        classes: what values or colours mean; None finds out.
        ignore: stored values that mean "not labelled".
        measures: what to measure besides the confusion matrix, see `Measures`; masks hold no probabilities.
        progress: called after each pair with the number done and the number of all.

    Raises:
        DataError: the folders do not fit together, no pair could be compared, or no target pixel is labelled.
        UsageError: the spacing is not positive, or masks cannot be measured so.
    """
    asked, ours, theirs = tuple(measures), Path(local(prediction)), Path(local(truth))
    if are_volumes(ours, theirs):
        folders: MaskFolders = open_volume_folders(ours, theirs, classes, ignore)
    else:
        folders = open_mask_folders(ours, theirs, classes=classes, ignore=ignore)
    refuse_unmeasurable(asked, _OFFERED[folders.medium])
    scorer = Scorer(folders.truth.space, asked)
    failures = {}
    for number, (name, predicted, target) in enumerate(folders.pairs, start=1):
        try:
            scorer.add(name, *folders.read(predicted, target), spacing=folders.spacing(target))
        except DataError as error:
            failures[name] = str(error)
        if progress is not None:
            progress(number, len(folders.pairs))
    if len(failures) == len(folders.pairs):
        raise DataError(
            f"none of the {len(failures)} pairs can be compared; the first: {next(iter(failures.values()))}"
        )
    evaluation = scorer.finish(str(prediction), Path(truth).name, medium=folders.medium)
    if not evaluation.matrix.counts.any():
        raise DataError(f"no pixel of the masks in {truth} is labelled, so there is nothing to compare with")
    return MaskScores(evaluation, folders, failures)
