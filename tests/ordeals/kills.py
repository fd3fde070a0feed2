"""Killing what keeps state at random moments, going on, and comparing the end with that of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ordeals.servers import in_child, quietly, warm

_IN_A_TURN = 12  # kills of one work, until it is the next one's turn
_IN_A_ROW = 6  # kills of one piece of work, until it is left alone to end


@dataclass(frozen=True)
class Work:
    """Something that is killed while it is at work.

    Attributes:
        name: of the work.
        prepare: writes what it works on into an empty folder.
        run: does it, or goes on with it, in that folder; returns 0 when it is done, another number when what it finds
            there is not what it left.
        found: tells what is there in the end, so that equal texts are equal ends.
        whole: tells what is there of one file, of any of those that must never be seen half; see `seen`.
        seen: patterns of such files.
        heavy: it loads a large library, or takes longer than a test may; other tests kill it, too.
    """

    name: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], int]
    found: Callable[[Path], str]
    whole: Callable[[Path], str] = lambda path: path.read_bytes().hex()
    seen: tuple[str, ...] = ()
    heavy: bool = False


@dataclass
class Toll:
    """What came of the kills.

    Attributes:
        kills: that landed, which means that the process ended by them.
        missed: attempts that ended before theirs.
        ends: runs that came to their end and were compared.
        faults: what was lost, partial or different, in sentences.
        seconds: that the work takes undisturbed.
    """

    kills: int = 0
    missed: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Chase:
    """One work and its undisturbed end.

    Args:
        work: the work.
        folder: an empty one.
        seed: of the moments.
    """

    def __init__(self, work: Work, folder: Path, seed: int) -> None:
        self.work, self._folder = work, folder
        self._moments = random.Random(f"{work.name} {seed}")
        self._pristine, self._place = folder / "pristine", folder / "work"
        self._pristine.mkdir(parents=True)
        _done(lambda: work.prepare(self._pristine), f"{work.name}: making its files")
        self._reset()
        self.toll = Toll()
        # Twice: what is read from disk for the first time takes longer than it will.
        for _ in range(2):
            self._reset()
            start = time.monotonic()
            _done(lambda: work.run(self._place), f"{work.name}: undisturbed run")
            self.toll.seconds = time.monotonic() - start
        self._expected = self._told()
        self._files = self._seen()

    def kill(self, times: int, deadline: float | None = None) -> Toll:
        """Kill the work until so many kills have landed, or there is no more time."""
        while self.toll.kills < times and not _is_past(deadline):
            self._reset()
            for _ in range(self._moments.randint(1, _IN_A_ROW)):
                if self._attempt() or self.toll.kills >= times:
                    break
            self._end()
        return self.toll

    def _attempt(self) -> bool:
        """Begin or go on, and kill it; whether it came to its end before."""
        pause = self._moments.uniform(0, self.toll.seconds)
        child = in_child(quietly(lambda: self.work.run(self._place)))
        time.sleep(pause)
        os.kill(child, signal.SIGKILL)  # not waited for yet, so that it is there even if it has ended
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            self.toll.kills += 1
            self._look()
            return False
        self.toll.missed += 1
        if status:
            self.toll.faults.append(f"ended with status {status} after {self.toll.kills} kills")
        return True

    def _end(self) -> None:
        """Let it come to its end, and compare."""
        try:
            _done(lambda: self.work.run(self._place), "going on")
            found = self._told()
        except RuntimeError as error:
            self.toll.faults.append(f"{error} after {self.toll.kills} kills")
            return
        self.toll.ends += 1
        if found != self._expected:
            self.toll.faults.append(
                f"another end after {self.toll.kills} kills: {found[:300]} / {self._expected[:300]}"
            )

    def _look(self) -> None:
        """Compare every file under its final name with the whole one."""
        for name, content in self._seen().items():
            if name in self._files and content != self._files[name]:
                self.toll.faults.append(f"{name} is partial after {self.toll.kills} kills")

    def _seen(self) -> dict[str, str]:
        paths = [path for pattern in self.work.seen for path in sorted(self._place.glob(pattern))]
        return {
            str(path.relative_to(self._place)): self.work.whole(path)
            for path in paths
            if path.is_file() and not path.name.startswith(".")
        }

    def _told(self) -> str:
        """What is there, told by a child: libraries that read it keep threads."""
        told = self._folder / "told"

        def look() -> None:
            told.write_text(self.work.found(self._place))

        _done(look, "looking at the end")
        return told.read_text()

    def _reset(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._pristine, self._place, symlinks=True)


def _done(work: Callable[[], int | None], what: str) -> None:
    """Do something in a child to its end.

    Raises:
        RuntimeError: it does not end well.
    """
    with tempfile.TemporaryFile() as said:
        child = in_child(quietly(work, said.fileno()))
        _, status = os.waitpid(child, 0)
        if status:
            said.seek(0)
            told = said.read().decode(errors="replace")
            raise RuntimeError(f"{what} ended with status {status}: {told[-500:]}")


def campaign(
    folder: Path, *, each: int, seed: int = 0, deadline: float | None = None, light: bool = False
) -> dict[str, Toll]:
    """Kill every work until so many kills have landed on it.

    Args:
        folder: an empty one to work in.
        each: kills of a work whose undisturbed run takes at most half a second; longer ones get fewer in proportion.
        seed: of the moments.
        deadline: on the monotonic clock, after which nothing more is begun.
        light: only what needs no large library.
    """
    from ordeals.works import all_works

    warm(light=light)
    chases: dict[str, Chase] = {}
    for name, work in all_works().items():
        if not (light and work.heavy) and not _is_past(deadline):
            chases[name] = Chase(work, folder / name, seed)
    wanted = {name: max(1, round(each * min(1.0, 0.5 / chase.toll.seconds))) for name, chase in chases.items()}
    while not _is_past(deadline) and any(chase.toll.kills < wanted[name] for name, chase in chases.items()):
        for name, chase in chases.items():  # in turns, so that none goes without where the time is short
            chase.kill(min(wanted[name], chase.toll.kills + _IN_A_TURN), deadline)
    return {name: chase.toll for name, chase in chases.items()}


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline
