"""The project of a server: opened when it is first asked for, as large data take their time."""

from __future__ import annotations

import threading

from intarsia.serving.engine import Engine
from intarsia.serving.project.opening import open_project
from intarsia.serving.project.project import Project
from intarsia.serving.settings import Settings


class Current:
    """The project that a server's studio works on.

    Args:
        settings: of the server: its data, and where states are kept.
        engine: whose models the project's own ones join.
        default: the model whose classes a project has while nobody says others.
    """

    def __init__(self, settings: Settings, engine: Engine, default: str) -> None:
        self._settings, self._engine, self._default = settings, engine, default
        self._opened: Project | None = None
        self._lock = threading.Lock()

    def get(self) -> Project:
        """The project.

        Raises:
            DataError: the data cannot be opened.
        """
        with self._lock:
            if self._opened is None:
                project = open_project(
                    self._settings.state, self._settings.data,
                    default=lambda: self._engine.description(self._default).space,
                )  # fmt: skip
                for name, path in project.learnt.models().items():
                    self._engine.add(name, path)
                self._opened = project
            return self._opened
