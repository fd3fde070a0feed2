"""Opening what the studio works on: somebody's data, an earlier project, or a workspace."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from intarsia.labels import LabelSpace
from intarsia.serving.project.catalogue import HIDDEN
from intarsia.serving.project.document import Stored
from intarsia.serving.project.names import safe_stem
from intarsia.serving.project.project import Project


def folder_for(state: Path, data: Path) -> Path:
    """The project folder of somebody's data, below the folder for states: readable, and one for each place."""
    place = os.path.abspath(data)
    mark = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
    return state / "projects" / f"{safe_stem(place, ())}-{mark}"


def open_project(state: Path, data: Path | None, *, default: Callable[[], LabelSpace]) -> Project:
    """Open what the studio works on.

    Args:
        state: the folder for everything that is saved.
        data: somebody's pictures or data set, which are only read; or a project that the studio made earlier, which
            goes on; None for a workspace in the folder for states.
        default: the classes where neither data nor people say them.

    Raises:
        DataError: as `Catalogue`.
    """
    if data is None:
        return Project(state / "workspace", default=default)
    if (data / HIDDEN / "project.json").is_file():
        of = Stored(data / HIDDEN / "project.json").read().data
        return Project(data, Path(of) if of else None, default=default)
    return Project(folder_for(state, data), data, default=default)
