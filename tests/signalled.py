"""One signal at a known point: when the process opens a certain file, or tells something."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Point:
    """Where in a command's work the signal comes.

    Attributes:
        number: of the signal.
        sources: folders that are read.
        results: folder that is written.
        when: "reads" a source, "writes" a result, "works" (reads a source when something is written already).
        name: what the file's name has to match.
        came: whether the signal was sent.
        begun: results that were opened after it.
    """

    number: int
    sources: tuple[Path, ...]
    results: Path
    when: str
    name: str = ""
    came: bool = False
    begun: list[str] = field(default_factory=list)
    _written: bool = False

    def look(self, path: str, writing: bool) -> None:
        """Look at a file that is opened."""
        reads = not writing and any(path.startswith(f"{folder}{os.sep}") for folder in self.sources)
        writes = writing and path.startswith(f"{self.results}{os.sep}")
        fits = re.search(self.name, Path(path).name) is not None
        meant = {"reads": reads, "writes": writes, "works": reads and self._written}.get(self.when, False)
        if self.came and writes:
            self.begun.append(path)
        self._written = self._written or writes
        if meant and fits:
            self.send()

    def send(self) -> None:
        """Send the signal, once, to the thread that the system sends signals of other processes to."""
        if not self.came:
            self.came = True
            signal.pthread_kill(threading.main_thread().ident or 0, self.number)


_watched: list[Point] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    """Hear of every file that Python opens; there is no way to hear no more."""
    if event != "open" or not _watched or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    mode, flags = arguments[1], arguments[2]
    writing = any(mark in mode for mark in "wax+") if isinstance(mode, str) else bool(int(str(flags)) & os.O_CREAT)
    _watched[-1].look(os.path.abspath(os.fsdecode(arguments[0])), writing)


_hooked: list[bool] = []


class _Telling(io.TextIOWrapper):
    """Standard output whose first text sends the signal."""

    def __init__(self, point: Point) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._point = point

    def write(self, text: str) -> int:
        """Send the signal, and write."""
        self._point.send()
        return super().write(text)


@contextmanager
def signalled(point: Point) -> Iterator[Point]:
    """Have the signal come at a point of what is done within."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    before = sys.stdout
    _watched.append(point)
    if point.when == "tells":
        sys.stdout = _Telling(point)
    try:
        yield point
    finally:
        sys.stdout = before
        _watched.remove(point)
