"""The labelled clouds of a project as files: for trainings, with the project's classes, and for people."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from intarsia.files import make_folder, write_text
from intarsia.labels import LabelSpace
from intarsia.media.clouds import open_cloud, write_labels
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.writing import kept_suffix
from intarsia.serving.project.clouds import Cloud, Clouds
from intarsia.serving.project.kinds import kinds_of
from intarsia.serving.project.project import Project
from intarsia.serving.project.publishing import POINTS

_UNKNOWN = "unlabelled"


def labelled_clouds(project: Project) -> list[str]:
    """The ids of the clouds that have labels."""
    named = kinds_of(project, project.items()).get("cloud", [])
    return [name for name in named if project.status(name).labelled]


def publish_clouds(project: Project, tell: Callable[[int, int], None] | None = None) -> Path:
    """Bring the data set of the labelled clouds up to date.

    Code 1 is the first class of the project, whatever the format; 0 is unlabelled, as LAS has it.

    Args:
        project: whose clouds they are.
        tell: called with how many clouds are done, and of how many.

    Returns:
        The folder.

    Raises:
        DataError: a cloud cannot be read or written, as LAS of old point formats with more than 31 classes.
    """
    folder, space, clouds = project.folder / POINTS, project.space, _opener(project)
    make_folder(folder)
    write_text(folder / "classes.txt", "".join(f"{code}: {name}\n" for code, name in enumerate(space.names, start=1)))
    names = labelled_clouds(project)
    for done, name in enumerate(names, start=1):
        source = project.item(name).file
        target = folder / f"{name}{kept_suffix(source)}"
        if not target.exists() or target.stat().st_mtime_ns < _changed(project, name, source):
            _write_coded(clouds.open(name), target, space)
        if tell is not None:
            tell(done, len(names))
    return folder


def write_clouds(project: Project, folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Write the labelled clouds for people, each in its own format and with its own codes.

    Yields:
        Each file, and what its format does not hold, in sentences; the file may be removed before the next.

    Raises:
        DataError: a cloud cannot be read or written.
    """
    clouds = _opener(project)
    for name in labelled_clouds(project):
        path, lost = clouds.open(name).write(folder, project.space)
        target = path.with_name(f"{name}{path.suffix}")  # two files of one name may lie in two folders
        shutil.move(path, target)
        yield target, lost


def _opener(project: Project) -> Clouds:
    """Clouds whose codes were understood when they were opened, or are understood by what the data say."""
    return Clouds(project, lambda: None)


def _changed(project: Project, name: str, source: Path) -> int:
    """When the labels of a cloud, or its points, changed last, in nanoseconds."""
    saved = project.cloud_folder(name) / "labels.json"
    return max(path.stat().st_mtime_ns for path in (source, saved) if path.exists())


def _write_coded(cloud: Cloud, target: Path, space: LabelSpace) -> None:
    """Write a cloud whose codes are the numbers of the project's classes, and one."""
    coded = LabelSpace((_UNKNOWN, *(name if name != _UNKNOWN else f"{name} " for name in space.names)))
    labels = cloud.labels.read().labels
    numbers = np.where(labels < len(space), labels.astype(np.int64) + 1, 0).astype(coded.dtype)
    codes = {name: code for code, name in enumerate(coded.names)} if target.suffix.lower() in LAS else None
    write_labels(open_cloud(cloud.path), target, numbers, coded, None, codes)
