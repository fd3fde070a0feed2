"""Stopping long work between two of its steps: asked by Ctrl-C, by a server's cancel, by a cluster's deadline."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import TypeVar

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of a command that Ctrl-C or SIGTERM ended, as shells count them."""

T = TypeVar("T")

Stop = Callable[[], bool]
"""Asked between two steps; true to stop there."""


def never() -> bool:
    """Go on to the end."""
    return False


_CHECK: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


@contextmanager
def checked_by(check: Callable[[], None]) -> Iterator[None]:
    """Have `checkpoint` call something meanwhile, on this thread: what raises where the work shall stop."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def check_by(check: Callable[[], None]) -> None:
    """As `checked_by`, on a thread of its own from now on."""
    _CHECK.set(check)


def checkpoint() -> None:
    """Give whoever has this work done the chance to stop it, from steps far below that know nothing of jobs."""
    _CHECK.get()()


class Signals:
    """Whether Ctrl-C or SIGTERM came, asked between two steps."""

    def __init__(self) -> None:
        self._came = threading.Event()
        if any(_seen):
            self._came.set()
        self._waits = False

    def __call__(self) -> bool:
        """Whether one came."""
        return self._came.is_set()

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Go through items; the first signal ends the wait for the next one at once, and with it the items."""
        source = iter(items)
        while True:
            try:
                self._waits = True
                if self():
                    return
                item = next(source)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                self._waits = False
            yield item

    def note(self, number: int, _: FrameType | None) -> None:
        """Answer a signal: the second interrupts, and the first where the work only waits."""
        _tell(number)
        again = self()
        self._came.set()
        if again or self._waits:
            raise KeyboardInterrupt


_seen: list[list[int]] = []
"""The signals that came within each open `interrupted_by_signals`.

An interrupt that Python raises while it tidies up is lost; the next step is stopped all the same.
"""


def _tell(number: int) -> None:
    for seen in _seen:
        seen.append(number)


@contextmanager
def stop_on_signals() -> Iterator[Signals]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after the current step; the second interrupts at once.

    Outside the main thread, which alone receives signals, nothing is changed.

    Yields:
        A function that says whether a signal has come.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.signal(number, signals.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_signals() -> Iterator[Stop]:
    """Let SIGTERM interrupt like Ctrl-C, so that what is half written is taken back, instead of ending at once.

    Outside the main thread nothing is changed.

    Yields:
        A function that says whether SIGTERM has come, also one that `stop_on_signals` took.
    """
    if threading.current_thread() is not threading.main_thread():
        yield never
        return

    seen: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        _tell(number)
        raise KeyboardInterrupt

    _seen.append(seen)
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: signal.SIGTERM in seen
    finally:
        _seen.pop()
        for number, handler in before.items():
            signal.signal(number, handler)
