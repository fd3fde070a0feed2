"""A folder for what comes from object stores and goes there: one a process, removed with it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from intarsia.errors import DataError
from intarsia.files import lock, reason

_NAMED = "intarsia-store-"
_YOUNG = 60.0  # seconds in which a folder may not be locked yet by who has made it
_guard = threading.Lock()
_mine: tuple[Path, IO[bytes]] | None = None


def scratch(name: str) -> Path:
    """Make a new folder on this machine.

    Args:
        name: that its own begins with.

    Raises:
        DataError: there is no temporary space.
    """
    global _mine
    with _guard:
        try:
            if _mine is None:
                _sweep()
                folder = Path(tempfile.mkdtemp(prefix=_NAMED))
                held = (folder / "lock").open("wb")
                lock(held)
                _mine = folder, held
                atexit.register(clear)
            return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_mine[0]))
        except OSError as error:
            raise DataError(f"cannot make a temporary folder: {reason(error)}") from error


def clear() -> None:
    """Remove all of this process's."""
    global _mine
    with _guard:
        if _mine is not None:
            folder, held = _mine
            shutil.rmtree(folder, ignore_errors=True)
            held.close()
            _mine = None


def _sweep() -> None:
    """Remove what processes have left that were killed: nobody holds its lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAMED}*"):
        with suppress(OSError):
            if (folder / "lock").exists():
                with (folder / "lock").open("rb+") as held:
                    if lock(held):
                        shutil.rmtree(folder)
            elif time.time() - folder.stat().st_mtime > _YOUNG:
                shutil.rmtree(folder)
