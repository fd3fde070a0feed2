"""One training at a time in a run folder, and whether it is one that ``torchrun`` has started again."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from intarsia.errors import UsageError
from intarsia.files import lock, make_folder, unlock

_LOCK = ".training.lock"
_PATIENCE = 60.0  # seconds in which processes that lost their torchrun end their step and write a checkpoint
_PAUSE = 0.5


def launch() -> str:
    """What tells one call of ``torchrun`` from all others; "" without it.

    It is the same in all processes, and after each restart.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    # Without a rendezvous all calls have the same name; but then the first node, which alone asks, has one torchrun.
    return f"{socket.gethostname()}:{os.getppid()}" if name == "none" else name


def is_restarted(folder: Path) -> bool:
    """Whether this call of ``torchrun`` has trained in a run folder before: one of its processes died."""
    try:
        return bool(launch()) and (folder / _LOCK).read_text(encoding="utf-8") == launch()
    except (OSError, UnicodeError):
        return False


@contextmanager
def sole_training(folder: Path, say: Callable[[str], None], *, patient: bool) -> Iterator[None]:
    """Hold a run folder against other trainings.

    Args:
        folder: the run's; it is made.
        say: told that this one waits.
        patient: give another one a minute to end: processes that lost their ``torchrun`` are about to.

    Raises:
        UsageError: another training goes on writing into it.
        DataError: the folder cannot be made.
    """
    make_folder(folder)
    deadline = time.monotonic() + _PATIENCE
    with (folder / _LOCK).open("a+", encoding="utf-8") as stream:
        waits = False
        while not lock(stream):
            if not patient or time.monotonic() > deadline:
                raise UsageError(f"another training writes into {folder}; end it first, or choose another folder")
            if not waits:
                say(f"another training writes into {folder}; waiting for it to end")
            waits = True
            time.sleep(_PAUSE)
        try:
            _sweep(folder)
            stream.truncate(0)
            stream.write(launch())
            stream.flush()
            yield
        finally:
            unlock(stream)


def _sweep(folder: Path) -> None:
    """Remove what a killed training left half written: nobody else writes here now."""
    for path in (*folder.glob(".*.tmp.*"), *folder.glob("checkpoints/.*.tmp")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
