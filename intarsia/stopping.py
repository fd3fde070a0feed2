"""Stopping long work between two of its steps: asked by Ctrl-C, by a server's cancel, by a cluster's deadline."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of a command that Ctrl-C or SIGTERM ended, as shells count them."""

Stop = Callable[[], bool]
"""Asked between two steps; true to stop there."""


def never() -> bool:
    """Go on to the end."""
    return False


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after the current step; the second interrupts at once.

    Outside the main thread, which alone receives signals, nothing is changed.

    Yields:
        A function that says whether a signal has come.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(_: int, __: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    def note_sigterm(number: int, frame: FrameType | None) -> None:
        for tell in _told_of_sigterm:
            tell()
        note(number, frame)

    handlers = {signal.SIGINT: note, signal.SIGTERM: note_sigterm}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_told_of_sigterm: list[Callable[[], None]] = []


@contextmanager
def interrupted_by_sigterm() -> Iterator[Stop]:
    """Let SIGTERM interrupt like Ctrl-C, so that what is half written is taken back, instead of ending at once.

    Outside the main thread nothing is changed.

    Yields:
        A function that says whether SIGTERM has come, also one that `stop_on_signals` took.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        came.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    _told_of_sigterm.append(came.set)
    try:
        yield came.is_set
    finally:
        _told_of_sigterm.remove(came.set)
        signal.signal(signal.SIGTERM, before)
