"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self

from intarsia.scaling.pool import Event
from intarsia.scaling.terms import Answer, Order, Terms
from intarsia.scaling.worker import Inbox, Worker

_SIGNALS = {signal.SIGINT, signal.SIGTERM}
_GRACE = 10.0  # seconds for what a worker is at


class LocalPool:
    """Processes that were spawned, so that they share no thread, lock or memory with this one.

    Ctrl-C and SIGTERM are for this process alone, which then stops them; when it is killed, they see its end of the
    pipe closed, and leave.

    Args:
        terms: of the job.
        count: of workers.
    """

    def __init__(self, terms: Terms, count: int) -> None:
        self.wanted = count
        self._terms = terms
        self._workers: dict[str, tuple[SpawnProcess, Connection]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for process, connection in self._workers.values():
            process.join(_GRACE)
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()

    def start(self, name: str) -> None:
        """Begin a worker."""
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=_serve, args=(its, self._terms, name), name=f"intarsia-{name}")
        with held_back():
            process.start()
        its.close()
        self._workers[name] = process, mine

    def give(self, name: str, order: Order) -> None:
        """Give a worker one more order; if it has died, that is told by the next events."""
        with suppress(OSError):
            self._workers[name][1].send(order)

    def events(self, seconds: float) -> Sequence[Event]:
        """Wait until something happens."""
        names = {id(connection): name for name, (_, connection) in self._workers.items()}
        ready = wait([connection for _, connection in self._workers.values()], seconds)
        return [self._event(names[id(connection)], connection) for connection in ready]  # type: ignore[arg-type]

    def stop(self) -> None:
        """Ask all workers to leave what they are at."""
        for _, connection in self._workers.values():
            with suppress(OSError):
                connection.send(None)

    def _event(self, name: str, connection: Connection) -> Event:
        try:
            said = connection.recv()
        except (EOFError, OSError):
            process, _ = self._workers.pop(name)
            process.join()
            connection.close()
            return Event(name, "died", reason=ended(process.exitcode))
        if isinstance(said, Answer):
            return Event(name, "answer", answer=said)
        return Event(name, "failed", error=said) if isinstance(said, Exception) else Event(name, "ready")


def ended(code: int | None) -> str:
    """How a process ended, in words that follow its name."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with {code}"


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while a process is made, which inherits that; it never sees those that are for its parent."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, terms: Terms, name: str) -> None:
    """What a worker's process does."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    inbox = Inbox()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True, name="intarsia-listen").start()
    try:
        worker = Worker(terms, name)
        _say(connection, None)
        for answer in worker.answers(inbox):
            _say(connection, answer)
    except Exception as error:
        _say(connection, error)
    finally:
        connection.close()


def _say(connection: Connection, what: Any) -> None:
    try:
        connection.send(what)
    except OSError:  # nobody is left who would hear it
        os._exit(1)


def _listen(connection: Connection, inbox: Inbox) -> None:
    """Take orders from the pipe, until it says stop or breaks."""
    with suppress(EOFError, OSError):
        while (order := connection.recv()) is not None:
            inbox.put(order)
    inbox.stop()
