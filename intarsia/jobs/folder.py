"""Segment many pictures, rasters and volumes into a folder: masks, overlays, and a manifest to resume the job from."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from intarsia.errors import IntarsiaError, UsageError
from intarsia.inference.pictures.predictor import Predictor
from intarsia.inference.sources import find_images
from intarsia.jobs.manifest import Manifest, Record, fingerprint, is_hopeless
from intarsia.jobs.outputs import SUFFIXES, Target, medium_of, write_outputs
from intarsia.media.source import Medium
from intarsia.media.volumes import volume_stem


@dataclass(frozen=True)
class Task:
    """One picture, raster or volume of a job and the name of what is made from it.

    Attributes:
        source: the file, or the folder of a DICOM series.
        stem: posix path below the output folder, without suffix.
        medium: what the source is.
    """

    source: Path
    stem: str
    medium: Medium

    @property
    def mask(self) -> str:
        """Path of the mask below the output folder."""
        return f"{self.stem}{SUFFIXES[self.medium]}"

    @property
    def overlay(self) -> str:
        """Path of the overlay below the output folder."""
        return f"{self.stem}.overlay.jpg"


@dataclass
class FolderResult:
    """What a job did.

    Attributes:
        out: the output folder.
        records: the manifest's lines that this job added, in order.
        skipped: sources that an earlier job had finished.
    """

    out: Path
    records: list[Record] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def failures(self) -> dict[str, str]:
        """Reason by source, of each picture that failed."""
        return {record["source"]: record["error"] for record in self.records if record["status"] == "error"}


def plan_tasks(sources: Iterable[str | os.PathLike[str]]) -> list[Task]:
    """Name the outputs of all sources (files, folders, glob patterns), each picture once.

    Pictures of a folder or pattern keep their path relative to it, files keep their name. Where pictures differ in
    nothing but the suffix, all of them keep the suffix (a.jpg.mask.png and a.png.mask.png), so none overwrites another.

    Raises:
        UsageError: two pictures of different folders would get the same name.
        DataError: a folder or pattern holds no picture.
    """
    named: dict[Path, PurePosixPath] = {}
    for source in sources:
        found = find_images(source)
        for path in (Path(source),) if found is None else found.paths:
            relative = Path(path.name) if found is None else path.relative_to(found.base)
            named.setdefault(path, PurePosixPath(relative.as_posix()))
    media = {path: medium_of(path) for path in named}
    bare = {path: _without_suffix(name, path, media[path]) for path, name in named.items()}
    shared = Counter(bare.values())
    tasks = [
        Task(path, str(name if shared[bare[path]] > 1 else bare[path]), media[path]) for path, name in named.items()
    ]
    taken: dict[str, Path] = {}
    for task in tasks:
        if task.stem in taken:
            raise UsageError(
                f"{taken[task.stem]} and {task.source} would both be written to {task.mask}; "
                "give the folder above them, or run them into two output folders"
            )
        taken[task.stem] = task.source
    return tasks


def _without_suffix(name: PurePosixPath, path: Path, medium: Medium) -> PurePosixPath:
    if medium != "volume":
        return name.with_suffix("")
    # The names of DICOM folders and files are no names with suffixes, though they may hold dots.
    return name.with_name(volume_stem(path))


def segment_folder(
    predictor: Predictor,
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    opacity: float = 0.5,
    polygons: bool = False,
    progress: Callable[[int, int, Record], None] | None = None,
) -> FolderResult:
    """Write ``<relative stem>.mask.png``, ``<relative stem>.overlay.jpg`` and ``manifest.jsonl`` below a folder.

    Masks of GeoTIFFs end in ``.mask.tif`` and keep their georeference, those of volumes in ``.mask.nii.gz`` and keep
    their grid. The manifest gets a line for each picture as soon as it is finished: source, mask, overlay (paths below
    the folder), what `write_outputs` tells (size, areas, seconds, ...), status ("done" or "error"), error, and what
    identifies model and picture. For a picture with several lines the last one counts. Calling this again
    continues: pictures are skipped that the same model and settings have finished, if they are unchanged and their
    outputs exist. An interruption leaves no partial output. Memory does not grow with the pictures' height.

    Args:
        predictor: the model.
        sources: a file, folder or glob pattern, or several of them.
        out: the output folder, made when absent.
        overwrite: replace outputs that exist already, and do everything again.
        opacity: of the colours in the overlays, 0 to 1.
        polygons: also write ``<relative stem>.mask.geojson`` for every GeoTIFF, the outlines on the map.
        progress: called after each picture with the number finished, the number of all, and the manifest's line.

    Returns:
        What was done, skipped and failed; one picture's failure does not stop the others.

    Raises:
        UsageError: outputs exist that another model or tool made, or the output folder lies in an input folder.
        DataError: no pictures, or the disk is full; the job can be resumed.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    sources = list(sources)
    folder = Path(out)
    _check_folder(folder, sources)
    tasks = plan_tasks(sources)
    model = predictor.identity()
    manifest = Manifest(folder)
    manifest.recover()
    finished = {} if overwrite else manifest.finished()
    todo = [task for task in tasks if not _is_done(folder, task, finished.get(task.mask), model)]
    if not overwrite:
        _check_outputs(folder, todo)
    ready = {task.source for task in tasks} - {task.source for task in todo}
    result = FolderResult(folder, skipped=[str(task.source) for task in tasks if task.source in ready])
    try:
        for task in todo:
            record = _run(predictor, task, manifest, model, opacity, polygons)
            result.records.append(record)
            if progress is not None:
                progress(len(result.skipped) + len(result.records), len(tasks), record)
    except BaseException:
        manifest.recover()
        raise
    return result


def _run(predictor: Predictor, task: Task, manifest: Manifest, model: str, opacity: float, polygons: bool) -> Record:
    """Segment one picture, and add its line to the manifest."""
    start = time.perf_counter()
    record: Record = {"source": str(task.source), "mask": task.mask, "overlay": task.overlay}
    manifest.announce([task.mask, task.overlay])
    folder = manifest.folder
    try:
        mask = folder / task.mask
        outlines = mask.with_suffix(".geojson") if polygons and task.medium == "raster" else None
        target = Target(task.medium, mask, folder / task.overlay, polygons=outlines)
        record |= write_outputs(predictor, task.source, target, opacity=opacity)
        record |= {"status": "done", "error": None}
    except (IntarsiaError, OSError, MemoryError) as error:
        if is_hopeless(error):
            raise
        record |= {"mask": None, "overlay": None, "status": "error", "error": str(error) or type(error).__name__}
    record.setdefault("seconds", round(time.perf_counter() - start, 3))
    record |= {"model": model, "input": fingerprint(task.source)}
    manifest.add(record)
    return record


def _check_folder(folder: Path, sources: list[str | os.PathLike[str]]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder for the masks")
    inner = folder.resolve()
    for source in sources:
        found = find_images(source)
        if found is not None and inner.is_relative_to(found.base.resolve()):
            raise UsageError(
                f"the output folder {folder} lies in the input {found.base}, where a later run would take overlays "
                "for photos; name a folder outside of it"
            )


def _check_outputs(folder: Path, tasks: list[Task]) -> None:
    existing = [path for task in tasks for path in (folder / task.mask, folder / task.overlay) if path.exists()]
    if existing:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise UsageError(
            f"{existing[0]}{more} exist already, from another model, other settings or a changed picture; "
            "overwrite them (--overwrite), or name another folder"
        )


def _is_done(folder: Path, task: Task, record: Record | None, model: str) -> bool:
    return (
        record is not None
        and (record.get("model"), record.get("input")) == (model, fingerprint(task.source))
        and (folder / task.mask).is_file()
        and (folder / task.overlay).is_file()
    )
