"""Predictions as an annotation tool's files, to be opened and corrected there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intarsia.annotations import AnnotatedImage, Category, Lost, Shape, rasterize, write_annotations
from intarsia.annotations.layers import layered, numbered, pieces
from intarsia.annotations.raster import without_unknown
from intarsia.annotations.tools import Tool, tool_named, tools
from intarsia.errors import UsageError
from intarsia.instances import countable_classes
from intarsia.jobs.plan import Plan
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import read_mask
from intarsia.media.maskfile import Stored

_TOLERANCE = 1.0
_LEAST = 16
PANOPTIC = "coco-panoptic"
INSTANCES = ("coco", PANOPTIC)
"""The tools whose files keep things apart pixel by pixel."""


@dataclass(frozen=True)
class PreAnnotation:
    """What was written.

    Attributes:
        path: the tool's file or folder.
        images: how many images it describes.
        lost: what the tool cannot express.
        changed: the pixels that have another class when the shapes are drawn as the tool draws them.
        pixels: of all images together; where only things are described, of these.
    """

    path: Path
    images: int
    lost: Lost
    changed: int
    pixels: int

    @property
    def form(self) -> str:
        """How much of the labels the shapes say, in words."""
        if not self.changed:
            return "the same pixels when drawn"
        share = 100 * self.changed / self.pixels
        return f"{self.changed:,} of {self.pixels:,} pixels ({share:.2g} %) have another class when drawn"


def preannotation_path(out: str | os.PathLike[str], tool: str, *, overwrite: bool = False) -> Path:
    """Where `write_preannotations` writes: OUT/TOOL.SUFFIX, or the folder OUT/TOOL.

    Raises:
        UsageError: no such tool, or one that is only read; or the place is taken, perhaps by corrected annotations.
    """
    chosen = tool_named(tool)
    if chosen.write is None:
        known = [name for name, other in tools().items() if other.write]
        raise UsageError(f"{tool} files are only read, not written; written are: {', '.join(known)}")
    target = Path(out) / f"{chosen.name}{chosen.suffix}"
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists, perhaps with corrections by hand; move it away, or --overwrite")
    return target


def write_preannotations(
    plan: Plan,
    space: LabelSpace,
    tool: str,
    *,
    tolerance: float | None = None,
    min_area: float | None = None,
    of: Sequence[str] | None = None,
    overwrite: bool = False,
) -> PreAnnotation:
    """Write the masks that a job left in its folder as one annotation tool's export, beside them.

    Formats that keep masks pixel by pixel (COCO's run lengths) get every connected piece of a class as it is. For the
    others, and where a tolerance is asked for, a piece becomes one outline; a piece inside another one lies on top of
    it, so that outlines need no holes and every tool can store and edit them (`intarsia.annotations.layers`).

    Args:
        plan: of the job, whose outputs hold the labels.
        space: the model's classes.
        tool: name of an annotation tool that is written.
        tolerance: pixels by which outlines may be simplified, so that they can be corrected by hand; None: 1.0, and
            none for formats that keep masks. 0 keeps every pixel.
        min_area: smaller pieces, in pixels, are left out; None: 16, and 0 for formats that keep masks.
        of: the classes whose things the job told apart, as `Result.instances` takes them: each becomes an annotation,
            and in a panoptic file what is no thing one a class; None: there are no things.
        overwrite: replace an export that is there.

    Raises:
        UsageError: see `preannotation_path`.
        DataError: no masks, or the place cannot be written.
    """
    target = preannotation_path(plan.folder, tool, overwrite=overwrite)
    chosen = tool_named(tool)
    counts = [0, 0]
    done = [(task, plan.folder / task.outputs["labels"]) for task in plan.tasks if "labels" in task.outputs]
    done = [(task, mask) for task, mask in done if mask.is_file()]
    things = {space.names[index] for index in countable_classes(space.names, of or ())} if of is not None else None

    def documents() -> Iterator[AnnotatedImage]:
        for task, mask in done:
            labels, suffix = without_unknown(read_mask(mask), space), Path(task.source).suffix
            numbers = None if things is None else read_mask(plan.folder / task.outputs["instances"])
            document = AnnotatedImage(
                name=f"{task.id.removesuffix(suffix)}{suffix}",
                image=Path(os.path.abspath(task.source)),
                width=labels.shape[1],
                height=labels.shape[0],
                shapes=shapes_for(chosen, labels, space, tolerance=tolerance, min_area=min_area, numbers=numbers),
            )
            drawn = rasterize(document, (labels.shape[0], labels.shape[1]), space, chosen.drawing)
            said = np.ones_like(labels, bool) if numbers is None or tool == PANOPTIC else numbers > 0
            counts[0] += int(np.count_nonzero((drawn != labels) & said))
            counts[1] += int(said.sum())
            yield document

    lost = write_predicted(documents(), target, tool, space, things)
    return PreAnnotation(target, len(done), lost, *counts)


def shapes_for(
    tool: Tool,
    labels: LabelArray,
    space: LabelSpace,
    *,
    tolerance: float | None = None,
    min_area: float | None = None,
    numbers: Stored | None = None,
) -> tuple[Shape, ...]:
    """Make the shapes by which a tool keeps a label map (H, W); for the arguments, see `write_preannotations`.

    Args:
        tool: that will read them.
        labels: class indices of `space`.
        space: the classes.
        tolerance: pixels by which outlines may be simplified.
        min_area: smaller pieces, in pixels, are left out.
        numbers: each thing's number, where things were told apart.
    """
    if numbers is not None:
        return numbered(labels, numbers, space, stuff=tool.name == PANOPTIC)
    exact = tool.exact and tolerance is None
    least = min_area if min_area is not None else 0 if exact else _LEAST
    if exact:
        return pieces(labels, space, least)
    simple = _TOLERANCE if tolerance is None else tolerance
    return layered(labels, space, rule=tool.drawing.rule, tolerance=simple, min_area=least)


def write_predicted(
    documents: Iterable[AnnotatedImage], target: Path, tool: str, space: LabelSpace, things: Collection[str] | None
) -> Lost:
    """Write documents of a model's classes as a tool's files; `things` are those of its classes (None: all)."""
    categories = [
        Category(name, color, thing=things is None or name in things)
        for name, color in zip(space.names, space.palette, strict=True)
    ]
    lost = write_annotations(documents, target, tool=tool, categories=categories)
    lost.forget("has no place for the color of a class")  # the model's, not an annotator's
    return lost
