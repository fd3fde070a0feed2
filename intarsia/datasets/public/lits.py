"""LiTS: liver and liver tumours in computed tomography; cases and folds by volume."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import walk
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.layouts.volumes import VolumeSplit, as_slices, usable
from intarsia.datasets.public.entry import Entry, layout
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, ScoreTable, nothing
from intarsia.datasets.splits import Item
from intarsia.errors import DataError, UsageError
from intarsia.files import encoded
from intarsia.labels import LabelSpace
from intarsia.metrics import StructureCases

LITS = LabelSpace(("background", "liver", "tumour"), ((0, 0, 0), (220, 120, 90), (255, 220, 60)))
"""Stored values 0, 1, 2. A tumour is part of the liver, and counts as such in the protocol."""


@dataclass
class LiverScores:
    """LiTS: liver (tumour included) and tumour, case by case; pictures of one folder are the slices of one case."""

    space: LabelSpace
    spacing: Sequence[float] | None
    liver: StructureCases = field(default_factory=StructureCases)
    tumour: StructureCases = field(default_factory=StructureCases)
    _in_mm: bool = True
    _case: str = ""
    _slices: list[tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=list)

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        case = item.id.rpartition("/")[0]
        if prediction.ndim == 3 or not case:
            self._add_case(item.id, prediction, target, item.spacing)
            return
        if case != self._case:
            self._flush()
        self._case = case
        self._slices.append((prediction, target))

    def _flush(self) -> None:
        if self._slices:
            try:
                prediction, target = (np.stack(side) for side in zip(*self._slices, strict=True))
            except ValueError:
                raise DataError(f"the slices of {self._case} differ in size; a case is one volume") from None
            self._add_case(self._case, prediction, target)
        self._slices = []

    def _add_case(
        self, name: str, prediction: NDArray[Any], target: NDArray[Any], own: Sequence[float] | None = None
    ) -> None:
        spacing = self.spacing or own or (1.0,) * target.ndim
        self._in_mm = self._in_mm and bool(self.spacing or own)
        known = target != self.space.ignore_index
        for cases, names in ((self.liver, ("liver", "tumour")), (self.tumour, ("tumour",))):
            labels = [self.space.index(one) for one in names]
            found, true = (np.isin(labels_of, labels) & known for labels_of in (prediction, target))
            cases.update(found, true, spacing=spacing, name=name)

    def finish(self) -> Findings:
        self._flush()
        values: dict[str, float] = {}
        tables = []
        for name, cases in (("liver", self.liver), ("tumour", self.tumour)):
            scores = cases.compute()
            values |= {
                f"{name} Dice per case": scores.dice,
                f"{name} Dice global": scores.global_dice,
                f"{name} VOE": scores.voe,
                f"{name} RVD": scores.rvd,
                f"{name} ASSD": scores.assd,
                f"{name} MSD": scores.msd,
                f"{name} missed or invented": float(scores.misses),
            }
            rows = tuple((one.name, (one.dice, one.voe, one.rvd, one.assd, one.msd)) for one in scores.cases)
            tables.append(ScoreTable(f"{name} by case", ("Dice", "VOE", "RVD", "ASSD", "MSD"), rows))
        notes = () if self._in_mm else ("distances are in elements: give the spacing (--spacing) for mm",)
        return Findings(values, tuple(tables), notes)


PROTOCOL = EvaluationProtocol(
    "lits",
    "Dice per case and global, VOE, RVD, ASSD and MSD of liver and tumour",
    "Bilic et al. 2023",
    lambda: (LITS,),
    nothing,
    LiverScores,
)

ENTRY = Entry(
    name="lits",
    title="LiTS: Liver Tumor Segmentation Challenge",
    about="131 abdominal CT volumes with liver and tumours",
    space=lambda: LITS,
    splits="131 labelled, 70 for testing (labels withheld); no official val: folds by volume",
    ignored="nothing",
    size="131 labelled volumes of 512x512 and 42 to 1026 slices",
    license="CC BY-NC-ND 4.0",
    citation="Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis 2023",
    homepage="https://competitions.codalab.org/competitions/17094",
    steps=("register at the homepage, fetch Training Batch 1 and 2, and unpack them into one folder",),
    tree="""volume-0.nii (or .nii.gz), segmentation-0.nii  (0 to 130, in one folder or in several)""",
    protocol=PROTOCOL,
)

_NAME = re.compile(r"(volume|segmentation)-(\d+)\.nii(\.gz)?")


@dataclass(frozen=True)
class Case:
    """One patient: its number, the CT volume in Hounsfield units, and the labels on the same grid."""

    number: int
    volume: Path
    labels: Path


def is_lits(content: Content) -> bool:
    """Whether a folder holds segmentation-N.nii files."""
    folders = [content.root, *(entry for entry in content.root.iterdir() if entry.is_dir())]
    return any(next(folder.glob("segmentation-*.nii*"), None) is not None for folder in folders)


def cases(root: Path) -> list[Case]:
    """All labelled cases below a folder, by number.

    Raises:
        DataError: there is none, or a segmentation's volume is missing.
    """
    files: dict[tuple[str, int], Path] = {}
    for path in walk(root):
        match = _NAME.fullmatch(path.name)
        if match:
            files.setdefault((match[1], int(match[2])), path)
    numbers = sorted(number for kind, number in files if kind == "segmentation")
    if not numbers:
        raise ENTRY.missing(Content(root), "it has no segmentation-N.nii")
    for number in numbers:
        if ("volume", number) not in files:
            raise DataError(f"{files['segmentation', number]}: its volume-{number}.nii is missing; unpack both batches")
    return [Case(number, files["volume", number], files["segmentation", number]) for number in numbers]


def _read(content: Content) -> PictureReading:
    found: list[tuple[str | None, str, Path, Path]] = [
        (None, f"volume-{case.number}", case.volume, case.labels) for case in cases(content.root)
    ]
    pairs, faults = usable(found)
    if not pairs:
        raise DataError(faults[0])
    notes = [f"LiTS; {len(pairs)} volumes, divided as a whole and trained slice by slice."]
    notes += [f"Volumes that cannot be used: {len(faults)}; the first: {faults[0]}."] if faults else []
    coding = MaskCoding(values={0: 0, 1: 1, 2: 2})
    return PictureReading(
        LITS, coding, Pairs(tuple(pairs), (), (), ()), tuple(notes), faults=tuple(faults), finish=as_slices
    )


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    "lits": layout(ENTRY, "LiTS: volume-N.nii with segmentation-N.nii", is_lits, _read, kind=VolumeSplit),
}


def folds(every: Sequence[Case], count: int = 5, seed: int = 0) -> list[tuple[tuple[Case, ...], tuple[Case, ...]]]:
    """Divide cases into (train, val) for cross-validation; each case is in val once.

    The order comes from a hash of the case numbers, so it does not depend on the machine.

    Args:
        every: the cases.
        count: number of folds, at least 2.
        seed: another seed divides differently.

    Raises:
        UsageError: fewer than 2 folds, or more folds than cases.
    """
    if not 2 <= count <= len(every):
        raise UsageError(f"{count} folds of {len(every)} cases: at least 2, and at most one for each case")
    order = sorted(every, key=lambda case: hashlib.sha256(encoded(f"{seed}:{case.number}")).digest())
    chosen = [{case.number for case in order[start::count]} for start in range(count)]
    return [
        (
            tuple(case for case in every if case.number not in numbers),
            tuple(case for case in every if case.number in numbers),
        )
        for numbers in chosen
    ]
