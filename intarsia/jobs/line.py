"""The line of a job: while what was found in one picture is written, the next is computed, and one more is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from intarsia.errors import IntarsiaError
from intarsia.jobs.cutting.contract import There
from intarsia.jobs.cutting.rows import joined_rows
from intarsia.jobs.manifest import fingerprint
from intarsia.jobs.outputs import EVERY
from intarsia.jobs.parts import Parts
from intarsia.jobs.stores.sources import fetched
from intarsia.jobs.task import Task
from intarsia.media.ahead import Ahead
from intarsia.media.medium import Form
from intarsia.preprocessing import AnyPreprocessing


def _rows(predictor: Any, reader: Any, task: Task, there: There) -> Iterable[Any]:
    if there:
        return joined_rows(predictor, reader, there, drawn=bool(task.renders))
    rows: Iterable[Any] = predictor.rows(reader, probabilities=EVERY in task.outputs)
    return rows


PREDICTED: Mapping[Form, Callable[[Any, Any, Task, There], Iterable[Any]]] = {
    "rows": _rows,
    "photo": lambda predictor, reader, task, there: [predictor.edit(reader)],
    "whole": lambda predictor, reader, task, there: [predictor.whole(reader)],
}
"""What is computed ahead of its writing, by the form of the medium: parts of a result."""

EXPECTED = (OSError, MemoryError, IntarsiaError)
"""Errors that are told of one source, after which the next is tried."""

Claim = Callable[[Task], AbstractContextManager[str]]
"""Takes a task for this worker; yields why it is not this worker's to do, "" if it is."""

_WAITING_PARTS = 4


@dataclass
class Begun:
    """A task that was taken.

    Attributes:
        task: what is done.
        at: where its source lies meanwhile.
        refusal: why it is not this worker's to do; "" if it is.
        input: size and time of the source, before it was opened.
        reader: the opened source; None if there is none.
        error: why it could not be opened.
        there: the parts of it that others have computed, and what lies between them; {} if there are none.
        parts: what is computed of it; raises what goes wrong.
    """

    task: Task
    at: Path | str = ""
    refusal: str = ""
    input: list[int] | None = None
    reader: Any = None
    error: Exception | None = None
    there: There = field(default_factory=dict)
    parts: Iterator[Any] = field(default_factory=lambda: iter(()))
    _held: bool = False
    _left: bool = False
    _over: Event = field(default_factory=Event)
    _claim: ExitStack = field(default_factory=ExitStack)


@contextmanager
def begin(task: Task, predictor: Any, options: Mapping[str, Any]) -> Iterator[Begun]:
    """Open the source of a task, to be computed when it is asked for."""
    with ExitStack() as claim:
        begun = _opened(task, claim, predictor.preprocessing, options)
        begun.parts = _computed(begun, predictor, None)
        yield begun


def _opened(task: Task, claim: ExitStack, preprocessing: AnyPreprocessing, options: Mapping[str, Any]) -> Begun:
    begun = Begun(task, task.source)
    try:
        begun.at, seen = claim.enter_context(fetched(task.source))
        begun.input = seen or fingerprint(begun.at)
        begun.reader = task.medium.open(begun.at, preprocessing, options)
    except EXPECTED as error:
        begun.error = error
    return begun


def _computed(begun: Begun, predictor: Any, parts: Parts | None) -> Iterator[Any]:
    compute = PREDICTED.get(begun.task.medium.form)
    if begun.task.part is not None and begun.reader is not None and parts is not None:
        yield from parts.compute(predictor, begun.task, begun.reader)
        return
    if compute is not None and begun.reader is not None:
        yield from compute(predictor, begun.reader, begun.task, begun.there)


class Line:
    """Tasks in their order, each taken, read and computed ahead of its turn; to be entered, and then gone through.

    Pictures that are small enough are read ahead. Of what is larger only one is taken at a time, so that several
    workers share them evenly, and memory holds no more than before.

    Args:
        tasks: what is to be done.
        predictor: the model.
        options: of the readers.
        claim: takes a task.
        leave: called at the end, so that nobody waits for a task that is still to come.
        parts: of the output folder; None: nobody else computes any.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        predictor: Any,
        options: Mapping[str, Any],
        claim: Claim,
        leave: Callable[[], None] = lambda: None,
        parts: Parts | None = None,
    ) -> None:
        self._tasks, self._predictor, self._options, self._claim = tasks, predictor, options, claim
        self._leave, self._shared = leave, parts
        self._taken: dict[str, Begun] = {}
        self._threads = ExitStack()
        self._ends = False
        self._stream: Iterator[Any]

    def __enter__(self) -> Self:
        with ExitStack() as threads:
            read = threads.enter_context(Ahead(self._read(), 1))
            self._stream = iter(threads.enter_context(Ahead(self._compute(read), _WAITING_PARTS)))
            self._threads = threads.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends = True
        self._leave()
        for begun in list(self._taken.values()):
            begun._left = True
            begun._over.set()
        self._threads.close()
        for begun in self._taken.values():
            begun._claim.close()

    def __iter__(self) -> Iterator[Begun]:
        for begun in self._stream:
            begun.parts = self._parts(begun)
            yield begun
            if not begun._left:
                begun._left = True
                while next(self._stream) is not _END:
                    pass
            begun._over.set()
            begun._claim.close()
            del self._taken[begun.task.id]

    def _parts(self, begun: Begun) -> Iterator[Any]:
        for part in self._stream:
            if part is _END:
                begun._left = True
                return
            if isinstance(part, _Failure):
                raise part.error
            yield part

    def _read(self) -> Iterator[Begun]:
        """Take one task after the other, and read it if it is small."""
        for task in self._tasks:
            claim = ExitStack()
            refusal = claim.enter_context(self._claim(task))
            begun = Begun(task, refusal=refusal) if refusal else self._opened(task, claim)
            begun._claim = claim
            self._taken[task.id] = begun
            try:
                begun._held = begun.reader is None or (hasattr(begun.reader, "hold") and begun.reader.hold())
            except EXPECTED as error:
                begun.error, begun.reader = error, None
            yield begun
            if self._ends:
                return
            if not begun._held:
                begun._over.wait()

    def _opened(self, task: Task, claim: ExitStack) -> Begun:
        begun = _opened(task, claim, self._predictor.preprocessing, self._options)
        if self._shared is not None and task.part is None and begun.reader is not None:
            begun.there = self._shared.there(self._predictor, task, begun.reader, begun.input)
        return begun

    def _compute(self, read: Iterable[Begun]) -> Iterator[Any]:
        """Each task, its parts, and the end of it."""
        for begun in read:
            yield begun
            try:
                for part in _computed(begun, self._predictor, self._shared):
                    if begun._left:
                        break
                    yield part
            except Exception as error:  # raised at its turn
                yield _Failure(error)
            yield _END


_END = object()


@dataclass(frozen=True)
class _Failure:
    error: Exception
