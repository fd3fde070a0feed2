"""Stopping long work between two of its steps: asked by Ctrl-C, by a server's cancel, by a cluster's deadline."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
