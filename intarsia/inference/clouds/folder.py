"""Labelling cloud files one after the other, with their pictures and viewers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intarsia.errors import DataError, IntarsiaError, UsageError
from intarsia.inference.clouds.predictor import CloudPredictor
from intarsia.media.clouds import is_cloud, open_cloud
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.writing import TARGETS, check_target
from intarsia.media.images import IMAGE_SUFFIXES

Record = dict[str, Any]


@dataclass(frozen=True)
class CloudTask:
    """One cloud and the files that it becomes; pictures and viewer only if asked for."""

    source: Path
    target: Path

    @property
    def pictures(self) -> tuple[Path, Path, Path]:
        """The views from the top and from the side, and the viewer's page."""
        stem = self.target.with_suffix("")
        return tuple(stem.with_name(stem.name + end) for end in (".top.png", ".side.png", ".html"))  # type: ignore[return-value]


@dataclass
class CloudResult:
    """What was done: a record a cloud, and the reasons of those that failed."""

    records: list[Record] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def holds_clouds(source: str) -> bool:
    """Whether a name stands for a point cloud, or a folder or pattern of them and of no pictures."""
    path = Path(source)
    if is_cloud(path) or not path.is_dir():
        return is_cloud(path)
    pictures = (file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    return bool(_inside(path)) and next(pictures, None) is None


def plan_clouds(sources: Sequence[str], out: Path | None) -> list[CloudTask]:
    """Which file becomes which.

    Args:
        sources: cloud files, folders of them, or glob patterns.
        out: the target file of a single cloud, or a folder; None: NAME.labels.SUFFIX in the current folder.

    Raises:
        DataError: a folder or pattern holds no cloud.
        UsageError: several clouds for one file, or a file would be overwritten by its own labels.
    """
    files: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir() and not is_cloud(path):
            inside = _inside(path)
            if not inside:
                raise DataError(f"no point clouds in {path}")
            files += inside
        elif path.exists() or not any(mark in source for mark in "*?["):
            files.append(path)
        else:
            matches = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
            if not matches:
                raise DataError(f"no point cloud matches {source}")
            files += matches
    if out is not None and out.suffix.lower() in TARGETS and not out.is_dir():
        if len(files) > 1:
            raise UsageError(f"{len(files)} clouds cannot be written to the one file {out}; name a folder")
        tasks = [CloudTask(files[0], out)]
    else:
        tasks = [CloudTask(file, (out or Path(".")) / f"{_stem(file)}.labels{_suffix(file)}") for file in files]
    for task in tasks:
        if task.target.resolve() == task.source.resolve():
            raise UsageError(f"{task.target} is the input itself; name another file")
    return tasks


def segment_clouds(
    predictor: CloudPredictor,
    tasks: Sequence[CloudTask],
    *,
    columns: str | None = None,
    pictures: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CloudResult:
    """Label clouds and write them; one that fails does not stop the others.

    Args:
        predictor: the model.
        tasks: see `plan_clouds`.
        columns: names of the columns of arrays and tables.
        pictures: also write views from the top and the side, and a page to look at the cloud in 3D.
        overwrite: replace files that exist.
        progress: called with the number of points done and of all, of the cloud in work.

    Raises:
        UsageError: an output exists already.
        DataError: the disk is full.
    """
    outputs = [file for task in tasks for file in (task.target, *(task.pictures if pictures else ()))]
    existing = [file for file in outputs if file.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]} exists already; overwrite it (--overwrite), or name another output")
    result = CloudResult()
    for task in tasks:
        start = time.perf_counter()
        try:
            reader = open_cloud(task.source, columns=columns)
            check_target(reader, task.target, predictor.space)
            found = predictor.segment(reader, progress=progress)
            found.save(task.target)
            record: Record = {
                "source": str(task.source), "labels": str(task.target), "points": len(found.labels),
                "shares": found.areas(), "without": list(found.without),
            }  # fmt: skip
            if pictures:
                top, side, page = task.pictures
                found.top().save(top)
                found.side().save(side)
                found.viewer(page)
                record |= {"top": str(top), "side": str(side), "viewer": str(page)}
            result.records.append(record | {"seconds": round(time.perf_counter() - start, 3)})
        except (IntarsiaError, MemoryError) as error:
            if isinstance(error.__cause__, OSError):
                raise
            result.failures[str(task.source)] = str(error) or type(error).__name__
    return result


def _inside(folder: Path) -> list[Path]:
    found = [file for file in folder.rglob("*") if file.is_file() or file.is_dir()]
    return sorted(file for file in found if is_cloud(file) and not file.name.startswith("."))


def _stem(file: Path) -> str:
    return file.name.removesuffix(".pcd.bin") if file.name.endswith(".pcd.bin") else file.stem


def _suffix(file: Path) -> str:
    """The source's own format where it can be written, else PLY."""
    suffix = file.suffix.lower()
    return suffix if suffix in (*LAS, ".ply", ".npz", ".csv", ".txt") and not file.is_dir() else ".ply"
