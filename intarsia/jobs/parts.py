"""Parts of one large source: what several workers compute, and whoever writes its outputs puts together.

A part is a file below the output folder. Outputs are written by one worker as those of any other source: it takes the
parts that are there, and computes what is not. So parts save time and decide nothing; a job may lose any of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from intarsia.jobs.cutting import CUTTINGS
from intarsia.jobs.cutting.contract import Cutting, There, Undivided, covered
from intarsia.jobs.manifest import PARTS, digest, fingerprint
from intarsia.jobs.outputs import EVERY
from intarsia.jobs.resuming import JobPredictor, prepared, settled
from intarsia.jobs.task import JobOptions, Span, Task


@dataclass(frozen=True)
class Parts:
    """The parts of one output folder.

    Attributes:
        folder: the output folder.
        options: of the job.
    """

    folder: Path
    options: JobOptions

    def of(
        self, predictor: JobPredictor, task: Task, workers: int, tell: Callable[[str], None] = lambda said: None
    ) -> list[Task]:
        """Cut a task into parts, each a task of its own; none of what is not cut, or cannot be opened.

        Args:
            predictor: the model.
            task: the whole.
            workers: how many would be at its parts.
            tell: called with why it is not cut, in a sentence.
        """
        cutting = cutting_of(task)
        if cutting is None:
            kind = EVERY if EVERY in task.outputs else task.medium.things
            tell(not_cut(task, f"{kind} are not cut"))
            return []
        try:
            found = fingerprint(task.source)
            reader = task.medium.open(task.source, predictor.preprocessing, self.options.given())
            ready = prepared(predictor, task.medium, self.options)
            stretches = cutting.stretches(ready, reader, self.options, workers)
        except Undivided as why:
            tell(not_cut(task, str(why)))
            return []
        except Exception:  # the reason is told when it is opened as a whole
            return []
        names = [f"{PARTS}/{self._stem(ready, task, found)}_{start}_{end}.zip" for start, end in stretches]
        return [
            replace(task, id=f"{task.id}/{name}", outputs={"part": name}, renders={}, part=stretch)
            for name, stretch in zip(names, stretches, strict=True)
        ]

    def compute(self, predictor: JobPredictor, task: Task, reader: Any) -> Iterator[Any]:
        """Go through the items of the part that a task is."""
        cutting = cutting_of(task)
        if cutting is not None and task.part is not None:
            ready = prepared(predictor, task.medium, self.options)
            yield from cutting.compute(ready, reader, task.part, self.options)

    def there(self, predictor: JobPredictor, task: Task, reader: Any, found: list[int] | None) -> There:
        """Find the parts of a source that are to be put together; {} if there are none.

        Args:
            predictor: the model.
            task: the whole.
            reader: its opened source.
            found: size and time of the source when it was opened.
        """
        cutting, folder = cutting_of(task), self.folder / PARTS
        if cutting is None or not folder.is_dir():
            return {}
        ready = prepared(predictor, task.medium, self.options)
        extent = cutting.extent(ready, reader, self.options)
        paths = {
            _stretch(path): path
            for path in folder.glob(f"{self._stem(ready, task, found)}_*.zip")
            if cutting.is_sound(path)
        }  # fmt: skip
        return covered(extent, paths) if extent is not None and paths else {}

    def forget(self, tasks: Iterable[Task]) -> None:
        """Remove the parts of tasks that have been done."""
        folder = self.folder / PARTS
        if not folder.is_dir():
            return
        over = {digest(task.id) for task in tasks}
        for file in folder.iterdir():
            if file.name.lstrip(".").partition("-")[0] in over:
                file.unlink(missing_ok=True)
        with suppress(OSError):  # there are others
            folder.rmdir()

    def _stem(self, ready: Any, task: Task, found: list[int] | None) -> str:
        """What the names of a task's parts begin with: other results have another name."""
        what = json.dumps([settled(ready, self.options).checksum(), getattr(ready, "confidence", False), found])
        return f"{digest(task.id)}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def not_cut(task: Task, why: str) -> str:
    """Say that one worker does all of a task while others have nothing to do."""
    return f"{task.source} is done as a whole, by one worker: {why}"


def cutting_of(task: Task) -> Cutting | None:
    """How a task is cut; None of those of which parts cannot be read without what comes before, or are too much."""
    return CUTTINGS.get(task.medium.form) if task.medium.parted and EVERY not in task.outputs else None


def _stretch(path: Path) -> Span:
    """The stretch that a part's name tells."""
    _, start, end = path.stem.rsplit("_", 2)
    return int(start), int(end)
