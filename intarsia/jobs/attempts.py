"""What a worker does with tasks: each is claimed, done, and told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from intarsia.errors import DataError
from intarsia.jobs.cutting import CUTTINGS
from intarsia.jobs.cutting.archive import write_part
from intarsia.jobs.cutting.contract import Packed
from intarsia.jobs.doing import Stop, Tell, remove_all, write
from intarsia.jobs.line import EXPECTED, Begun, Line
from intarsia.jobs.manifest import Manifest, is_hopeless
from intarsia.jobs.parts import Parts
from intarsia.jobs.resuming import JobPredictor, is_finished
from intarsia.jobs.task import JobOptions, Record, Task
from intarsia.jobs.writing.work import Stopped


@dataclass(frozen=True)
class Outcome:
    """What became of a task that a worker was given.

    Attributes:
        task: what was to be done.
        kind: "done" (with a record, of success or failure), "before" (somebody else has done it), "busy" (somebody
            else is at it) or "stopped" (perhaps with the record of what is whole up to there).
        record: its line.
    """

    task: Task
    kind: Literal["done", "before", "busy", "stopped"]
    record: Record | None = None


@dataclass(frozen=True)
class Attempts:
    """How a worker does tasks, one after the other: claimed, read, computed, written and told of.

    Attributes:
        predictor: the model.
        folder: that the names of outputs start from.
        manifest: who works on what, and what is done; None: nobody else is there, and nothing is kept.
        options: of the job.
        overwrite: replace outputs that exist already.
        stop: asked again and again.
        tell: called with the task in work, what of it is done and all of it.
    """

    predictor: JobPredictor
    folder: Path
    manifest: Manifest | None
    options: JobOptions
    overwrite: bool
    stop: Stop
    tell: Tell | None = None

    def of(self, tasks: Iterable[Task], leave: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Do tasks until they end, or until a stop, which the last outcome then tells of.

        Args:
            tasks: as they come.
            leave: called at the end, so that nobody waits for a task that is still to come.

        Raises:
            OSError: the disk is full or cannot be written, so that no other task fares better; so does DataError.
        """
        parts = None if self.manifest is None else Parts(self.folder, self.options)
        with Line(tasks, self.predictor, self.options.given(), self._claim, leave, parts, self.stop) as line:
            start = time.perf_counter()
            for begun in line:
                outcome = self._attempt(begun, start)
                yield outcome
                if outcome.kind == "stopped":
                    break
                if self.stop():
                    yield Outcome(begun.task, "stopped")
                    break
                start = time.perf_counter()

    @contextmanager
    def _claim(self, task: Task) -> Iterator[str]:
        """Take a task, unless another worker is at it ("busy") or has done it since this job began ("before")."""
        if self.manifest is None:
            yield ""
            return
        with self.manifest.claim(task, again=self.overwrite and task.part is None) as free:
            done = free and self._is_done(task, self.manifest)
            yield "" if free and not done else "before" if done else "busy"

    def _is_done(self, task: Task, manifest: Manifest) -> bool:
        if task.part is not None:
            return manifest.is_there(task)
        return not self.overwrite and is_finished(self.predictor, task, manifest, self.options)

    def _attempt(self, begun: Begun, start: float) -> Outcome:
        if begun.refusal:
            return Outcome(begun.task, "before" if begun.refusal == "before" else "busy")
        if begun.task.part is not None:
            return self._part(begun)
        try:
            record = write(self.predictor, begun, start, self.folder, self.options, self.stop, self.tell)
        except Stopped:
            return Outcome(begun.task, "stopped")
        if self.manifest is not None:
            self._note(record, self.manifest)
        return Outcome(begun.task, "stopped" if record["status"] == "stopped" else "done", record)

    def _part(self, begun: Begun) -> Outcome:
        """Keep what is found in a part of a source for whoever does the whole, whose line tells what goes wrong."""
        (name,) = begun.task.outputs.values()
        pack = CUTTINGS[begun.task.medium.form].pack

        def packed() -> Iterator[Packed]:
            for found in begun.parts:
                if self.stop():
                    raise Stopped
                yield pack(found)

        try:
            if begun.error is None:
                write_part(self.folder / name, packed())
        except EXPECTED as error:
            if is_hopeless(error):
                raise
        except Stopped:
            return Outcome(begun.task, "stopped")
        return Outcome(begun.task, "done")

    def _note(self, record: Record, manifest: Manifest) -> None:
        try:
            manifest.add(record)
        except DataError:
            # Outputs of which no line tells would be taken for a stranger's.
            remove_all([self.folder / name for name in record["outputs"].values()])
            raise
