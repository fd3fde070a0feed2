"""Predictions as an annotation tool's files, to be opened and corrected there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intarsia.annotations import AnnotatedImage, Category, Lost, write_annotations
from intarsia.annotations.layers import layered
from intarsia.annotations.tools import tool_named, tools
from intarsia.errors import UsageError
from intarsia.jobs.plan import Plan
from intarsia.labels import LabelSpace
from intarsia.media.images import read_mask


@dataclass(frozen=True)
class PreAnnotation:
    """What was written: the tool's file or folder, how many images it describes, and what the tool cannot express."""

    path: Path
    images: int
    lost: Lost


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
    tolerance: float = 1.0,
    min_area: int = 16,
    overwrite: bool = False,
) -> PreAnnotation:
    """Write the masks that a job left in its folder as one annotation tool's export, beside them.

    Every connected piece of a class becomes one outline; a piece inside another one lies on top of it, so that
    outlines need no holes and every tool can store and edit them (`intarsia.annotations.layers`).

    Args:
        plan: of the job, whose outputs hold the labels.
        space: the model's classes.
        tool: name of an annotation tool that is written.
        tolerance: pixels by which outlines may be simplified, so that they can be corrected by hand.
        min_area: smaller pieces, in pixels, are left out.
        overwrite: replace an export that is there.

    Raises:
        UsageError: see `preannotation_path`.
        DataError: no masks, or the place cannot be written.
    """
    target = preannotation_path(plan.folder, tool, overwrite=overwrite)
    rule = tool_named(tool).drawing.rule
    done = [(task, plan.folder / task.outputs["labels"]) for task in plan.tasks if "labels" in task.outputs]
    done = [(task, mask) for task, mask in done if mask.is_file()]

    def documents() -> Iterator[AnnotatedImage]:
        for task, mask in done:
            labels, suffix = read_mask(mask), Path(task.source).suffix
            yield AnnotatedImage(
                name=f"{task.id.removesuffix(suffix)}{suffix}",
                image=Path(os.path.abspath(task.source)),
                width=labels.shape[1],
                height=labels.shape[0],
                shapes=layered(labels, space, rule=rule, tolerance=tolerance, min_area=min_area),
            )

    categories = [Category(name, color) for name, color in zip(space.names, space.palette, strict=True)]
    lost = write_annotations(documents(), target, tool=tool, categories=categories)
    lost.forget("has no place for the color of a class")  # the model's, not an annotator's
    return PreAnnotation(target, len(done), lost)
