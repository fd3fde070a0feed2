"""What a project remembers besides labels: its classes, and by which ids its items are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from intarsia.errors import DataError
from intarsia.files import write_json
from intarsia.labels import LabelSpace
from intarsia.serving.project.classes import Classes
from intarsia.serving.project.revisions import locked

_VERSION = 1


@dataclass(frozen=True)
class Document:
    """The content of project.json.

    Attributes:
        data: the folder that the project is of; "" of a workspace.
        classes: the project's.
        origin: the classes that its data had when the project began, by whose numbers the project's go; None of data
            without labels.
        ids: the id of each item of the data, by its place there.
        hidden: ids of the data's items that were taken out of the project.
    """

    data: str
    classes: Classes
    origin: LabelSpace | None
    ids: Mapping[str, str]
    hidden: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "version": _VERSION, "data": self.data, "classes": self.classes.to_json(),
            "origin": self.origin.to_json() if self.origin else None, "ids": dict(self.ids),
            "hidden": sorted(self.hidden),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Document:
        """Read `to_json`'s form."""
        origin = LabelSpace.from_json(value["origin"]) if value["origin"] else None
        classes = Classes.from_json(value["classes"])
        return cls(value["data"], classes, origin, dict(value["ids"]), frozenset(value["hidden"]))


class Stored:
    """A document on disk, which other processes may change meanwhile.

    Args:
        path: of project.json.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: tuple[tuple[int, int], Document] | None = None

    def exists(self) -> bool:
        """Whether it was ever written."""
        return self.path.exists()

    def read(self) -> Document:
        """The document as it is now.

        Raises:
            DataError: it is damaged, or of a newer Intarsia.
        """
        status = self.path.stat()
        stamp = status.st_mtime_ns, status.st_ino
        if self._kept is None or self._kept[0] != stamp:
            self._kept = stamp, self._load()
        return self._kept[1]

    def _load(self) -> Document:
        try:
            value = json.loads(self.path.read_text(encoding="utf-8"))
            version = int(value["version"])
            if version <= _VERSION:
                return Document.from_json(value)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.path} is damaged ({error}); the labels beside it are whole: move this file away, and the "
                "project is opened anew"
            ) from error
        raise DataError(f"{self.path} was written by a newer Intarsia (version {version}); pip install -U intarsia")

    def change(self, change: Callable[[Document], Document]) -> Document:
        """Read, change and write it, while nobody else does."""
        with locked(self.path.parent):
            return self._write(change(self.read()))

    def start(self, make: Callable[[], Document]) -> Document:
        """Write the first one, unless somebody did meanwhile."""
        with locked(self.path.parent):
            return self.read() if self.exists() else self._write(make())

    def _write(self, document: Document) -> Document:
        write_json(self.path, document.to_json())
        return document


def with_ids(document: Document, ids: Mapping[str, str]) -> Document:
    """The document with more ids."""
    return replace(document, ids={**document.ids, **ids})
