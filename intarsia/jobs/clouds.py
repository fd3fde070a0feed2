"""Labelling cloud files one after the other, with their pictures and viewers."""

from __future__ import annotations

import glob
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from intarsia.errors import DataError, IntarsiaError, UsageError
from intarsia.inference.clouds.predictor import CloudPredictor
from intarsia.jobs.manifest import Manifest, Record, fingerprint, is_hopeless
from intarsia.media.clouds import is_cloud, open_cloud
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.writing import TARGETS, check_target
from intarsia.media.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class CloudTask:
    """One cloud and the files that it becomes; pictures and viewer only if asked for."""

    source: Path
    target: Path

    def outputs(self, pictures: bool) -> dict[str, Path]:
        """The labels, and if asked for, the views from the top and from the side and the viewer's page."""
        stem = self.target.with_suffix("")
        ends = {"top": ".top.png", "side": ".side.png", "viewer": ".html"} if pictures else {}
        return {"labels": self.target} | {key: stem.with_name(stem.name + end) for key, end in ends.items()}


@dataclass
class CloudResult:
    """What was done: a record a cloud, the reasons of those that failed, and what an earlier job had finished."""

    records: list[Record] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def holds_clouds(source: str) -> bool:
    """Whether a name stands for a point cloud, or a folder or pattern of them and of no pictures."""
    path = Path(source)
    if is_cloud(path) or not path.is_dir():
        return is_cloud(path)
    pictures = (file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    return bool(_inside(path)) and next(pictures, None) is None


def is_one_file(out: Path | None) -> bool:
    """Whether an output is the name of one cloud, not a folder."""
    return out is not None and out.suffix.lower() in TARGETS and not out.is_dir()


def plan_clouds(sources: Sequence[str], out: Path | None) -> list[CloudTask]:
    """Which file becomes which.

    Args:
        sources: cloud files, folders of them, or glob patterns.
        out: the target file of a single cloud, or a folder; None: NAME.labels.SUFFIX in the current folder. Clouds of
            a folder or pattern keep their path relative to it.

    Raises:
        DataError: a folder or pattern holds no cloud.
        UsageError: several clouds for one file, a file would be overwritten by its own labels, or the output folder
            lies in an input folder.
    """
    found = {file: base for source in sources for base, file in _find(source, out or Path("."))}
    if out is not None and is_one_file(out):
        if len(found) > 1:
            raise UsageError(f"{len(found)} clouds cannot be written to the one file {out}; name a folder")
        tasks = [CloudTask(next(iter(found)), out)]
    else:
        tasks = [
            CloudTask(file, (out or Path(".")) / _name(file.relative_to(base), file)) for file, base in found.items()
        ]
    for task in tasks:
        if task.target.resolve() == task.source.resolve():
            raise UsageError(f"{task.target} is the input itself; name another file")
    target, times = Counter(task.target for task in tasks).most_common(1)[0]
    if times > 1:
        both = " and ".join(str(task.source) for task in tasks if task.target == target)
        raise UsageError(f"{both} would all be written to {target}; give the folder above them, or several commands")
    return tasks


def segment_clouds(
    predictor: CloudPredictor,
    tasks: Sequence[CloudTask],
    *,
    columns: str | None = None,
    category: str | None = None,
    pictures: bool = False,
    overwrite: bool = False,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CloudResult:
    """Label clouds and write them; one that fails does not stop the others.

    An output folder gets a line in its ``manifest.jsonl`` for each cloud as soon as it is finished, and calling this
    again continues: clouds are skipped that the same model has finished, if they are unchanged and their outputs exist.

    Args:
        predictor: the model.
        tasks: see `plan_clouds`.
        columns: names of the columns of arrays and tables.
        category: what all of them are, for models of parts.
        pictures: also write views from the top and the side, and a page to look at the cloud in 3D.
        overwrite: replace files that exist, and do everything again.
        folder: the output folder, that holds all targets; None: a single target, without manifest.
        progress: called with the number of points done and of all, of the cloud in work.

    Raises:
        UsageError: an output exists already, or the model has to know the category, or does not know it.
        DataError: the disk is full.
    """
    predictor.require_category(category)
    manifest = None if folder is None else Manifest(folder)
    settings: Record = {"model": predictor.identity(), "columns": columns, "category": category}
    todo = list(tasks) if overwrite else _unfinished(tasks, manifest, settings, pictures)
    result = CloudResult(skipped=[str(task.source) for task in tasks if task not in todo])
    try:
        for task in todo:
            outputs = task.outputs(pictures)
            if manifest is not None:
                manifest.announce([path.relative_to(manifest.folder).as_posix() for path in outputs.values()])
            record: Record = {"source": str(task.source)}
            try:
                record |= _label(predictor, task, columns, category, pictures, progress)
                result.records.append(record)
                line = record | {"status": "done", "error": None}
            except (IntarsiaError, OSError, MemoryError) as error:
                if is_hopeless(error):
                    raise
                reason = result.failures[str(task.source)] = str(error) or type(error).__name__
                line = record | {"status": "error", "error": reason}
            if manifest is not None:
                names = {key: path.relative_to(manifest.folder).as_posix() for key, path in outputs.items()}
                manifest.add(line | names | settings | {"input": fingerprint(task.source)})
    except BaseException:
        if manifest is not None:
            manifest.recover()
        raise
    return result


def _unfinished(
    tasks: Sequence[CloudTask], manifest: Manifest | None, settings: Record, pictures: bool
) -> list[CloudTask]:
    """The tasks that an earlier job with the same settings has not finished.

    Raises:
        UsageError: an output of theirs exists already.
    """
    finished = {}
    if manifest is not None:
        manifest.recover()
        finished = manifest.finished()
    todo = []
    for task in tasks:
        record = finished.get(task.target.relative_to(manifest.folder).as_posix()) if manifest is not None else None
        existing = [path for path in task.outputs(pictures).values() if path.exists()]
        expected = {**settings, "input": fingerprint(task.source)}
        if record is not None and expected.items() <= record.items() and len(existing) == len(task.outputs(pictures)):
            continue
        if existing:
            why = "" if manifest is None else ", from another model, other settings or a changed cloud"
            raise UsageError(f"{existing[0]} exists already{why}; overwrite it (--overwrite), or name another output")
        todo.append(task)
    return todo


def _label(
    predictor: CloudPredictor,
    task: CloudTask,
    columns: str | None,
    category: str | None,
    pictures: bool,
    progress: Callable[[int, int], None] | None,
) -> Record:
    """Label one cloud and write what was asked for."""
    start = time.perf_counter()
    reader = open_cloud(task.source, columns=columns)
    check_target(reader, task.target, predictor.space)
    found = predictor.segment(reader, category=category, progress=progress)
    outputs = task.outputs(pictures)
    found.save(outputs["labels"])
    if pictures:
        found.top().save(outputs["top"])
        found.side().save(outputs["side"])
        found.viewer(outputs["viewer"])
    return {
        **{key: str(path) for key, path in outputs.items()}, "points": len(found.labels), "shares": found.areas(),
        "without": list(found.without), "seconds": round(time.perf_counter() - start, 3),
    }  # fmt: skip


def _find(source: str, out: Path) -> list[tuple[Path, Path]]:
    """The clouds that a name stands for, each after the folder that its output's name starts from."""
    path = Path(source)
    if path.is_dir() and not is_cloud(path):
        found = _inside(path)
        if not found:
            raise DataError(f"no point clouds in {path}")
        if out.resolve().is_relative_to(path.resolve()):
            raise UsageError(
                f"the output folder {out} lies in the input {path}, where a later run would take labelled clouds for "
                "new ones; name a folder outside of it (-o OUT)"
            )
        return [(path, file) for file in found]
    if path.exists() or not glob.has_magic(source):
        return [(path.parent, path)]
    base = Path(*path.parts[: next(index for index, part in enumerate(path.parts) if glob.has_magic(part))])
    matches = sorted(Path(match) for match in glob.glob(source, recursive=True))
    if not matches:
        raise DataError(f"no point cloud matches {source}")
    return [(base, file) for file in matches]


def _inside(folder: Path) -> list[Path]:
    found = [file for file in folder.rglob("*") if file.is_file() or file.is_dir()]
    return sorted(file for file in found if is_cloud(file) and not file.name.startswith("."))


def _stem(file: Path) -> str:
    return file.name.removesuffix(".pcd.bin") if file.name.endswith(".pcd.bin") else file.stem


def _name(inner: Path, file: Path) -> Path:
    """Where the labels of a cloud go, below the output folder: its own format where it can be written, else PLY."""
    suffix = file.suffix.lower()
    kept = suffix in (*LAS, ".ply", ".npz", ".csv", ".txt") and not file.is_dir()
    return inner.with_name(f"{_stem(file)}.labels{suffix if kept else '.ply'}")
