"""The labels of a cloud's points, with revisions, and with the last changes, which can be undone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.files import atomic_path, write_json
from intarsia.labels import LabelArray
from intarsia.serving.project.revisions import Conflict, locked

_MOST_STEPS = 100
_MOST_BYTES = 256 << 20  # of what all steps of a cloud take on disk
_DOCUMENT = "labels.json"
CODES = "codes.json"
"""What the numbers of a cloud's file mean, written when it is opened for the first time: class by code."""
_UNSAID = ("0", "1")  # codes of LAS for points that nobody has classified, and for what no class is known of


def saved_revision(folder: Path) -> int:
    """How often the labels of a cloud have changed, by the document in its folder; 0: as its file has them."""
    try:
        return int(json.loads((folder / _DOCUMENT).read_text(encoding="utf-8"))["revision"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def brings_labels(folder: Path, *, is_las: bool) -> bool:
    """Whether a cloud's own file says classes, as far as is known: of one that nobody has opened yet it is not.

    Args:
        folder: of the cloud in its project.
        is_las: whether it is LAS or LAZ.
    """
    try:
        codes = json.loads((folder / CODES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return any(index >= 0 and not (is_las and code in _UNSAID) for code, index in codes.items())


class State(NamedTuple):
    """The labels of a cloud as they are now.

    Attributes:
        revision: grows with every change, also with those that are undone; 0: as the file has them.
        labels: (N,) in the file's order.
        past: how many changes can be undone.
        future: how many can be done again.
    """

    revision: int
    labels: LabelArray
    past: int
    future: int


class Change(NamedTuple):
    """What changed.

    Attributes:
        state: the labels after it.
        which: (n,) indices of the points in the file, ascending.
        values: (n,) their labels now.
    """

    state: State
    which: NDArray[np.int64]
    values: LabelArray


class CloudLabels:
    """The labels of one cloud, on disk.

    A document names the file with all labels and those of the steps to either side; a change writes new files first,
    and the document last, so that after a crash at any point all of it is as it was before, or as after.

    Args:
        folder: of its own.
        name: of the item, for messages.
        start: (N,) labels as long as nothing is saved.
    """

    def __init__(self, folder: Path, name: str, start: LabelArray) -> None:
        self.folder, self.name, self._start = folder, name, start
        self._kept: tuple[int, LabelArray] = (0, start)

    def read(self) -> State:
        """The labels as they are now; the array is not to be changed.

        Raises:
            DataError: they are damaged.
        """
        return self._state(self._document())

    def change(self, index: NDArray[np.int64], values: LabelArray, expected: int) -> Change:
        """Give points other labels, if nobody else changed any since.

        Args:
            index: (n,) of the points in the file, ascending, each once.
            values: (n,) their labels.
            expected: the revision that this began with.

        Raises:
            Conflict: there is another revision by now; nothing is changed.
            DataError: the place cannot be written.
        """
        with locked(self.folder):
            document, before = self._expect(expected)
            if not len(index):
                return Change(before, index, values)
            revision = before.revision + 1
            self._write_step(revision, index, before.labels[index], values)
            past = [*document["past"], revision][-_MOST_STEPS:]
            while len(past) > 1 and sum(self._step(one).stat().st_size for one in past) > _MOST_BYTES:
                past.pop(0)
            return self._apply(before, index, values, {"past": past, "future": []})

    def undo(self, expected: int) -> Change:
        """Take the last change back; without any nothing happens."""
        return self._move("past", "future", "before", expected)

    def redo(self, expected: int) -> Change:
        """Do what was taken back last again; without any nothing happens."""
        return self._move("future", "past", "after", expected)

    def _move(self, source: str, target: str, side: str, expected: int) -> Change:
        with locked(self.folder):
            document, before = self._expect(expected)
            if not document[source]:
                return Change(before, np.zeros(0, np.int64), before.labels[:0])
            *rest, number = document[source]
            with np.load(self._step(number)) as step:
                index, values = step["index"].astype(np.int64), step[side]
            moved = {source: rest, target: [*document[target], number]}
            return self._apply(before, index, values, moved)

    def _apply(
        self, before: State, index: NDArray[np.int64], values: LabelArray, steps: Mapping[str, list[int]]
    ) -> Change:
        """Write labels with some of them changed, and then the document."""
        revision = before.revision + 1
        labels = before.labels.copy()
        labels[index] = values
        with atomic_path(self._all(revision)) as temporary, temporary.open("wb") as file:
            np.save(file, labels)
        document = {"revision": revision, **steps}
        write_json(self.folder / _DOCUMENT, document)
        self._kept = revision, labels
        self._tidy(document)
        return Change(self._state(document), index, values)

    def _expect(self, expected: int) -> tuple[dict[str, Any], State]:
        document = self._document()
        if document["revision"] != expected:
            raise Conflict(self.name, document["revision"], expected)
        return document, self._state(document)

    def _document(self) -> dict[str, Any]:
        path = self.folder / _DOCUMENT
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"revision": 0, "past": [], "future": []}
        except ValueError as error:
            raise DataError(
                f"{path} is damaged ({error}); restore it, or move its folder away to begin anew"
            ) from error
        return found

    def _state(self, document: Mapping[str, Any]) -> State:
        revision = int(document["revision"])
        if self._kept[0] != revision:
            self._kept = revision, self._load(revision) if revision else self._start
        return State(revision, self._kept[1], len(document["past"]), len(document["future"]))

    def _load(self, revision: int) -> LabelArray:
        path = self._all(revision)
        try:
            found: LabelArray = np.load(path)
        except (OSError, ValueError) as error:
            raise DataError(
                f"cannot read {path}: {error}; restore it, or move its folder away to begin anew"
            ) from error
        if found.shape != self._start.shape:
            raise DataError(
                f"{path} is of {len(found)} points, and {self.name} has {len(self._start)}: the file is another"
            )
        return found

    def _write_step(self, number: int, index: NDArray[np.int64], before: LabelArray, after: LabelArray) -> None:
        with atomic_path(self._step(number)) as temporary, temporary.open("wb") as file:
            np.savez(file, index=index.astype(np.uint32), before=before, after=after)

    def _all(self, revision: int) -> Path:
        return self.folder / f"labels.{revision}.npy"

    def _step(self, number: int) -> Path:
        return self.folder / f"step.{number}.npz"

    def _tidy(self, document: Mapping[str, Any]) -> None:
        """Remove what the document does not name, also what a process left that was ended while it wrote."""
        named = {self._all(document["revision"]), *(self._step(one) for one in document["past"] + document["future"])}
        for path in self.folder.iterdir():
            if path not in named and path.name.lstrip(".").startswith(("labels.", "step.")) and path.suffix != ".json":
                path.unlink(missing_ok=True)
