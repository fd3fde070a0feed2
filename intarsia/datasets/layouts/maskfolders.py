"""Two folders of masks or exports, predictions and truth: which belong together, and what their values mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from intarsia.classlists import ClassList
from intarsia.datasets.classfile import find_class_file
from intarsia.datasets.coding import MaskCoding, number_list
from intarsia.datasets.layouts.drawn import Drawn, draw_export
from intarsia.datasets.layouts.pairing import pair_masks
from intarsia.datasets.layouts.survey import SAMPLE, survey
from intarsia.datasets.meaning import WHITE, Survey, by_palette, choose, soft_threshold
from intarsia.errors import DataError
from intarsia.files import local
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import read_mask
from intarsia.media.places import misplaced


@dataclass(frozen=True)
class Side:
    """How one folder's masks are read.

    Attributes:
        space: classes of the folder's masks.
        coding: rule from stored values to class indices.
    """

    space: LabelSpace
    coding: MaskCoding

    def read(self, path: Path) -> LabelArray:
        """One mask as labels of the folder's own space.

        Raises:
            DataError: the file is damaged, or holds values that no class has.
        """
        raw = read_mask(path, colors=self.coding.painted)
        try:
            return self.coding.decode(raw, self.space)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


@dataclass(frozen=True)
class MaskFolders:
    """Matched masks of two folders.

    Attributes:
        pairs: (id, prediction, truth).
        prediction: how predictions are read.
        truth: how targets are read.
        missing: targets without a prediction.
        extra: predictions without a target.
        notes: plain sentences on what was decided.
        drawn: exports that masks were drawn from.
    """

    pairs: tuple[tuple[str, Path, Path], ...]
    prediction: Side
    truth: Side
    missing: tuple[Path, ...]
    extra: tuple[Path, ...]
    notes: tuple[str, ...]
    drawn: tuple[Drawn, ...] = ()
    medium: ClassVar[Literal["picture", "volume"]] = "picture"

    def read(self, prediction: Path, truth: Path) -> tuple[LabelArray, LabelArray]:
        """Labels of one pair, both in the truth's space; predictions of unknown classes become its ignore index.

        Raises:
            DataError: a file is damaged or holds values that no class has, or the sizes differ.
        """
        labels, target = self.prediction.read(prediction), self.truth.read(truth)
        if labels.shape != target.shape:
            raise DataError(
                f"{self._told(prediction)} is {labels.shape[1]}x{labels.shape[0]} pixels, {self._told(truth)} is "
                f"{target.shape[1]}x{target.shape[0]}: masks are compared at the truth's own size; export the "
                f"prediction at that size (labels by nearest neighbour)"
            )
        return self.in_truth_space(labels, target)

    def in_truth_space(self, labels: LabelArray, target: LabelArray) -> tuple[LabelArray, LabelArray]:
        """Labels of the prediction's own classes as those of the truth, by name."""
        if self.prediction.space.names != self.truth.space.names:
            labels = self.truth.space.lookup_from(self.prediction.space)[labels]
        return labels, target

    def spacing(self, truth: Path) -> Sequence[float] | None:
        """How far apart the elements of a target are, where its file says it."""
        return None

    def _told(self, mask: Path) -> Path:
        return _told(mask, self.drawn)


def _told(mask: Path, drawn: Sequence[Drawn]) -> Path:
    """A mask's name for people, also where it was drawn."""
    return next((one.told(mask) for one in drawn if mask.is_relative_to(one.root)), mask)


def open_mask_folders(
    prediction: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    *,
    classes: ClassList | None = None,
    ignore: Sequence[int] = (),
) -> MaskFolders:
    """Pair the masks of two folders, from whichever tool, and find out what their values mean.

    Values mean the same in both folders, unless one stores colours and the other indices, or both are binary with
    different whites (0/1 and 0/255); then classes are matched by name. So they are where a side is the export of an
    annotation tool, whose classes have names, and where each folder has a class file and the two differ; binary masks
    beside one of a single class are of that class.

    Args:
        prediction: folder of predicted masks, or an export (a COCO file, a list of COCO results, any tool's).
        truth: folder of true masks, or an export.
        classes: what the values or colours mean; None takes a class file (classes.txt, ...) in the truth's or the
            prediction's folder, or else the values that occur.
        ignore: stored values that mean "not labelled".

    Raises:
        DataError: a folder is missing or holds no mask, no names match, or the values cannot be understood.
    """
    predictions, targets = (Path(os.path.abspath(local(folder))) for folder in (prediction, truth))
    ours, theirs = draw_export(predictions, targets), draw_export(targets)
    found = pair_masks(predictions if ours is None else ours.root, targets if theirs is None else theirs.root)
    said = tuple(classes or (find_class_file(root) if root.is_dir() else None) for root in (predictions, targets))
    named = said[1] or said[0]
    pairs = tuple(
        (name, predicted, target)
        for _, name, target, predicted in found.matched
        if isinstance(predicted, Path) and isinstance(target, Path)
    )
    columns = [path for _, path, _ in pairs], [path for *_, path in pairs]
    if ours is None and theirs is None:
        sides, notes = sides_of((_survey(columns[0]), _survey(columns[1])), (said[0], said[1]), ignore)
    else:
        sides, notes = _named_sides((ours, theirs), columns, named, ignore)
    apart = [said for some in misplaced([(target, predicted) for _, predicted, target in pairs]) for said in some]
    if apart:
        notes.append(
            f"Predictions that lie elsewhere than their truth: {len(apart)}; the first, {apart[0]}. All are compared "
            f"pixel by pixel: if their places count, bring the predictions to the truth's grid (gdalwarp)."
        )
    drawn = tuple(one for one in (ours, theirs) if one is not None)
    missing, extra = (tuple(_told(mask, drawn) for mask in masks) for masks in (found.images, found.masks))
    return MaskFolders(pairs, *sides, missing=missing, extra=extra, notes=(*found.notes, *notes), drawn=drawn)


def sides_of(
    seen: tuple[Survey, Survey], said: tuple[ClassList | None, ClassList | None], ignore: Sequence[int]
) -> tuple[tuple[Side, Side], list[str]]:
    """How predictions and truth are read, by what they hold and the class lists that lie with them.

    Raises:
        DataError: the values cannot be understood.
    """
    if said[0] and said[1] and _order(said[0]) != _order(said[1]):
        sides, notes = _each(seen, said, ignore)
        return sides, [*notes, "The class files of predictions and truth differ: classes are matched by name."]
    return _sides(seen, said[1] or said[0], ignore)


def _survey(masks: Sequence[Path]) -> Survey:
    chosen = np.linspace(0, len(masks) - 1, min(SAMPLE, len(masks))).round().astype(int)
    found = survey([masks[index] for index in dict.fromkeys(chosen.tolist())])
    if len(found.unreadable) == found.files:
        raise DataError(f"none of the masks can be read; the first: {found.unreadable[0]}")
    return found


def _order(classes: ClassList) -> dict[str, int]:
    """What a class file says about masks that hold class numbers."""
    return dict(zip(classes.names, classes.values or range(len(classes.names)), strict=True))


def _sides(
    seen: tuple[Survey, Survey], classes: ClassList | None, ignore: Sequence[int]
) -> tuple[tuple[Side, Side], list[str]]:
    predicted, truth = seen
    read = [by_palette(found, classes)[0] for found in seen]
    whites = {_white(found, ignore) for found in read} - {None}
    if bool(read[0].colors) != bool(read[1].colors) or len(whites) > 1:
        return _each(seen, (classes, classes), ignore)
    both = Survey()
    both.add(predicted)
    both.add(truth)
    try:
        space, coding, notes = choose(both, classes, ignore)
    except DataError as error:  # each folder may be clear by itself: class numbers here, gray levels there
        try:
            sides, notes = _each(seen, (classes, classes), ignore)
        except DataError:
            raise error from None
        if sides[0].space.names != sides[1].space.names:
            raise DataError(
                f"the predictions hold the values {number_list(read[0].values)}, the truth "
                f"{number_list(read[1].values)}, and it is not known which are the same classes; name the classes in "
                f"the order of the values (--classes a,b,...)"
            ) from error
        return sides, notes
    return (Side(space, coding), Side(space, coding)), notes


def _each(
    seen: tuple[Survey, Survey], classes: tuple[ClassList | None, ClassList | None], ignore: Sequence[int]
) -> tuple[tuple[Side, Side], list[str]]:
    """Either folder understood by itself; their classes are matched by name."""
    ours, theirs = (choose(found, named, ignore) for found, named in zip(seen, classes, strict=True))
    if not set(ours[0].names) & set(theirs[0].names):
        raise DataError(
            f"predictions and truth share no class: the predictions have {', '.join(ours[0].names)}; the truth has "
            f"{', '.join(theirs[0].names)}; name the classes (--classes)"
        )
    notes = [f"Predictions: {note}" for note in ours[2]] + [f"Truth: {note}" for note in theirs[2]]
    return (Side(*ours[:2]), Side(*theirs[:2])), notes


def _named_sides(
    drawn: tuple[Drawn | None, Drawn | None],
    masks: tuple[list[Path], list[Path]],
    classes: ClassList | None,
    ignore: Sequence[int],
) -> tuple[tuple[Side, Side], list[str]]:
    """The sides where one is an export at least; classes are matched by name."""
    sides: list[Side] = []
    notes: list[str] = []
    for one, other, files in zip(drawn, reversed(drawn), masks, strict=True):
        if one is not None:
            values = {i: i for i in (*range(len(one.space)), one.space.ignore_index)}
            sides.append(Side(one.space, MaskCoding(values=values)))
            notes += one.notes
            continue
        space, coding, told = choose(_survey(files), classes, ignore)
        notes += told
        if other is not None and len(other.space) == 2 and space.names == ("background", "foreground"):
            space = replace(space, names=other.space.names)
            notes.append(f"The masks' foreground is taken as {other.space.names[1]!r}, the export's only class.")
        sides.append(Side(space, coding))
    if not set(sides[0].space.names[1:]) & set(sides[1].space.names[1:]):
        raise DataError(
            f"predictions and truth share no class: the predictions have {', '.join(sides[0].space.names)}; the truth "
            f"has {', '.join(sides[1].space.names)}; name the masks' classes in the export's words (--classes)"
        )
    return (sides[0], sides[1]), notes


def _white(found: Survey, ignore: Sequence[int]) -> int | None:
    """The value that marks the foreground of binary masks; None for other masks."""
    values = sorted(set(found.values) - set(ignore) - {0})
    if found.colors or not values:
        return None
    if soft_threshold(found.without(set(ignore))) is not None:
        return WHITE[values[-1] > WHITE[0]]
    single = values if len(values) == 1 else values[:-1] if values[-1] in WHITE else []  # beside a void, say
    return single[0] if len(single) == 1 and single[0] in (1, *WHITE) else None
