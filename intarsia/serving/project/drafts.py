"""What a model says of an item, kept until somebody saves labels: drafts, and how sure they are."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from intarsia.files import atomic_path, make_folder, write_json
from intarsia.serving.project.revisions import locked

_NAME = re.compile(r"draft\.(?P<frame>\d+)\.json")


class Draft(NamedTuple):
    """A prediction.

    Attributes:
        model: name of the model that it is of.
        uncertainty: mean over its pixels of 1 - the winning class's probability.
        agreement: share of the labelled pixels that have the class of labels which were there; None without any.
        left_out: classes of the model that the project lacks.
    """

    model: str
    uncertainty: float
    agreement: float | None = None
    left_out: tuple[str, ...] = ()


class Drafts:
    """The drafts of the items of a project, by item and frame.

    Args:
        folder: that holds a folder for each item.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[int, Draft]] = {}

    def of(self, item: str) -> dict[int, Draft]:
        """The draft of every frame of an item that has one."""
        found: dict[int, Draft] = {}
        with suppress(FileNotFoundError):
            for path in (self.folder / item).iterdir():
                name = _NAME.fullmatch(path.name)
                if name is not None:
                    with suppress(FileNotFoundError):  # it is being replaced
                        found[int(name["frame"])] = self._draft(path)
        return found

    def _draft(self, path: Path) -> Draft:
        when = path.stat().st_mtime_ns
        kept = self._read.get(path)
        if kept is None or kept[0] != when:
            value = json.loads(path.read_text(encoding="utf-8"))
            kept = when, Draft(value["model"], value["uncertainty"], value["agreement"], tuple(value["left_out"]))
            self._read[path] = kept
        return kept[1]

    def labels(self, item: str, frame: int) -> bytes:
        """The labels of a draft, as PNG."""
        return self._path(item, frame, "labels.png").read_bytes()

    def doubt(self, item: str, frame: int) -> bytes:
        """How unsure a draft is: grey PNG, 0 sure, 255 unsure."""
        return self._path(item, frame, "doubt.png").read_bytes()

    def keep(self, item: str, frame: int, labels: bytes, doubt: bytes, draft: Draft) -> None:
        """Replace the draft of a frame; after a crash meanwhile there is none."""
        make_folder(self.folder / item)
        said = self._path(item, frame, "json")
        with locked(self.folder.parent):  # whoever saves labels meanwhile tidies up there
            said.unlink(missing_ok=True)
            for name, data in (("labels.png", labels), ("doubt.png", doubt)):
                with atomic_path(self._path(item, frame, name)) as temporary:
                    temporary.write_bytes(data)
            write_json(said, draft._asdict())

    def __bool__(self) -> bool:
        """Whether anything was predicted."""
        return any(True for _ in self.folder.glob("*/draft.*.json"))

    def forget(self) -> None:
        """Remove all drafts: the numbers in them are of classes that are no longer there."""
        with locked(self.folder.parent):
            for path in self.folder.glob("*/draft.*"):
                path.unlink(missing_ok=True)

    def _path(self, item: str, frame: int, ending: str) -> Path:
        return self.folder / item / f"draft.{frame:06d}.{ending}"
