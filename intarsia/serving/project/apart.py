"""Training in a process of its own, so that the server answers meanwhile.

On a thread of low priority, a training holds the interpreter's lock while the system has it wait for others, and
everything that answers waits with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import intarsia
from intarsia.errors import ModelError
from intarsia.recipe import Recipe
from intarsia.scaling.local import ended, held_back
from intarsia.stopping import Stop

_LOOK = 0.2  # seconds between two looks at whether it shall stop
_GRACE = 10.0  # seconds for the step that it is at


@dataclass(frozen=True)
class Lesson:
    """What is trained; see `intarsia.train`."""

    data: Path
    folder: Path
    recipe: Recipe | str | None
    changes: tuple[str, ...]
    resume: bool


def train_apart(lesson: Lesson, *, stop: Stop, meanwhile: Callable[[], None]) -> Path:
    """Train in another process, which ends with this one.

    Args:
        lesson: what is trained.
        stop: asked a few times a second; true ends the training after its step, or after some seconds.
        meanwhile: called as often.

    Returns:
        The best bundle.

    Raises:
        IntarsiaError: see `intarsia.train`; or the process was ended by others.
        KeyboardInterrupt: it was stopped.
    """
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_learn, args=(its, lesson), name="intarsia-training")
    with held_back():  # Ctrl-C is for the server, which then stops it
        process.start()
    its.close()
    try:
        while not mine.poll(_LOOK):
            meanwhile()
            if stop():
                mine.send(None)
                if not mine.poll(_GRACE):
                    raise KeyboardInterrupt
        said = mine.recv()
    except (EOFError, OSError):
        process.join(_GRACE)
        raise ModelError(
            f"the training's process {ended(process.exitcode)}, often for lack of memory; close other programs, or "
            "learn from fewer or smaller pictures"
        ) from None
    finally:
        mine.close()  # upon which it ends, whatever it is at
        process.join(_GRACE)
        if process.is_alive():
            process.kill()
            process.join()
    meanwhile()
    if isinstance(said, BaseException):
        raise said
    return Path(said)


def _learn(connection: Connection, lesson: Lesson) -> None:
    """What the training's process does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stops = threading.Event()
    threading.Thread(target=_listen, args=(connection, stops), daemon=True, name="intarsia-listen").start()
    said: str | BaseException
    try:
        said = str(
            intarsia.train(
                lesson.data, lesson.folder, recipe=lesson.recipe, changes=lesson.changes, resume=lesson.resume,
                progress=False, stop=stops.is_set,
            ).best
        )  # fmt: skip
    except (Exception, KeyboardInterrupt) as error:
        said = error
    with suppress(OSError):  # the server has left meanwhile
        connection.send(said)


def _listen(connection: Connection, stops: threading.Event) -> None:
    """Wait for the word to stop; where nobody is left who could say it, end at once, as if the server had been both."""
    try:
        while True:
            connection.recv()
            stops.set()
    except (EOFError, OSError):
        os._exit(1)
