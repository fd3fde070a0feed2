"""A project's labels as a zip archive: of masks, or of an annotation tool's files."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from intarsia.annotations import AnnotatedImage
from intarsia.annotations.raster import without_unknown
from intarsia.annotations.tools import tool_named, tools
from intarsia.errors import DataError, UsageError, suggest
from intarsia.jobs.preannotation import shapes_for, write_predicted
from intarsia.media.images import read_mask
from intarsia.serving.project.cloudpublishing import write_clouds
from intarsia.serving.project.kinds import in_words, kinds_of
from intarsia.serving.project.names import stem_of
from intarsia.serving.project.project import Project
from intarsia.serving.project.publishing import FRAMES, VOLUMES

MASKS = "png"
_PARTS = ("masks", f"{FRAMES}/masks", f"{VOLUMES}/masks")


class Export(NamedTuple):
    """What was written.

    Attributes:
        path: the archive.
        losses: what the form cannot express, in lines.
    """

    path: Path
    losses: tuple[str, ...]


def forms() -> dict[str, str]:
    """Every form of export, and what it is in a line."""
    masks = {MASKS: "Masks: PNG, GeoTIFF of maps, NIfTI of scans, with classes.json; clouds with their labels"}
    return masks | {tool.name: tool.about for tool in tools().values() if tool.write is not None}


def export(project: Project, form: str, target: Path) -> Export:
    """Write the labels of a project into a zip archive.

    Args:
        project: its data set is brought up to date before.
        form: one of `forms`.
        target: the archive.

    Raises:
        UsageError: no such form.
        DataError: nothing is labelled that this form can hold, or something cannot be read or written.
    """
    if form not in forms():
        raise UsageError(f"no form of export is named {form!r}.{suggest(form, forms())}")
    folder = project.gather()
    if form == MASKS:
        return _as_masks(project, folder, target)
    return _of_tool(project, folder, form, target)


def _as_masks(project: Project, folder: Path, target: Path) -> Export:
    lost: dict[str, None] = {}
    with zipfile.ZipFile(target, "w") as archive, tempfile.TemporaryDirectory(prefix="intarsia-export-") as place:
        for path in sorted(path for part in _PARTS for path in (folder / part).glob("*") if path.is_file()):
            _add(archive, path, path.relative_to(folder).as_posix())
        for path, losses in write_clouds(project, Path(place)):
            _add(archive, path, f"clouds/{path.name}")
            path.unlink()
            lost |= dict.fromkeys(losses)
        _add(archive, folder / "classes.json", "classes.json")
    return Export(target, tuple(lost))


def _of_tool(project: Project, folder: Path, form: str, target: Path) -> Export:
    tool, space = tool_named(form), project.space
    pairs = [pair for part in ("", FRAMES) for pair in _pairs(folder / part)]
    left = kinds_of(project, project.labelled())
    left.pop("picture", None)
    others = in_words(left)
    if not pairs:
        raise DataError(f"{form} is for pictures, and only {others} have labels; export them as {MASKS}")

    def documents(beside: Path) -> Iterator[AnnotatedImage]:
        for image, mask in pairs:
            labels = without_unknown(np.asarray(read_mask(mask), space.dtype), space)
            height, width = labels.shape
            shapes = shapes_for(tool, labels, space)
            yield AnnotatedImage(image.name, image=beside / image.name, width=width, height=height, shapes=shapes)

    with tempfile.TemporaryDirectory(prefix="intarsia-export-") as place:
        out = Path(place) / "out"
        # The files name their photos as those that people will put beside them, in images/; some look into them.
        (out / "images").mkdir(parents=True)
        for image, _ in pairs:
            (out / "images" / image.name).symlink_to(image.resolve())
        written = out / f"{form}{tool.suffix}" if tool.suffix else out
        lost = write_predicted(documents(out / "images"), written, form, space, None)
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(path for path in out.rglob("*") if path.is_file() and not path.is_symlink()):
                _add(archive, path, path.relative_to(out).as_posix())
    more = (f"{others} left out: {form} is for pictures; export them as {MASKS}",) if others else ()
    return Export(target, (*lost.lines(), *more))


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every picture of a data set with its mask."""
    images = {stem_of(path.name): path for path in (folder / "images").glob("*")}
    for mask in sorted((folder / "masks").glob("*")):
        if (name := stem_of(mask.name)) in images:
            yield images[name], mask


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """Add a file without its time, so that equal labels make equal archives."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in (".png", ".gz") else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with path.open("rb") as source, archive.open(entry, "w", force_zip64=os.path.getsize(path) > 1 << 31) as sink:
        while block := source.read(1 << 20):
            sink.write(block)
