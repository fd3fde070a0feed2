"""Full disks, folders that may not be written, network folders and clocks that go back, under all that writes."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ordeals.kills import Work
from ordeals.servers import in_child, quietly

_HOUR = 3600.0
_LEFT = re.compile(r"\.tmp|\.nfs")
# A sentence of ours that is none: Python's own words, or what is said of our mistakes.
UNNAMED = re.compile(r"Traceback|is a defect|\[Errno \d+\]|^Error: \w+Error", re.MULTILINE)


def _nothing(folder: Path) -> None:
    """Leave all as it is."""


@dataclass(frozen=True)
class Place:
    """Something that is wrong with where work is done.

    Attributes:
        name: of it.
        impose: makes it so, in the process that works, for its life; gets the folder of the work.
        lift: takes back what it did to the folder.
        inside: parts of the path that the work's folder has more.
        harmless: the work has to come to its right end all the same.
    """

    name: str
    impose: Callable[[Path], None] = _nothing
    lift: Callable[[Path], None] = _nothing
    inside: str = ""
    harmless: bool = False


@dataclass(frozen=True)
class Stay:
    """How one work fared in one place: its exit code, the first line of what it said, and what is wrong with that."""

    work: str
    place: str
    code: int
    said: str
    faults: tuple[str, ...]


def _limit_files(most: int) -> Callable[[Path], None]:
    """Let no file become longer than so many bytes: what a full disk is to those who may not make one."""
    return lambda folder: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _forbid_writing(folder: Path) -> None:
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        place.chmod(0o555)
    _be_nobody_special()


def _allow_writing(folder: Path) -> None:
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        place.chmod(0o755)


def _be_nobody_special() -> None:
    """Give up what lets root write everywhere; for everybody else nothing changes."""
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(head, none):
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def _take_temporary_space(folder: Path) -> None:
    os.environ["TMPDIR"] = "/nonexistent"
    tempfile.tempdir = None
    tempfile._candidate_tempdir_list = lambda: ["/nonexistent"]  # type: ignore[attr-defined]


def _turn_clocks_back(folder: Path) -> None:
    real, calls = time.time, iter(range(1 << 60))
    time.time = lambda: real() - _HOUR * (next(calls) // 5)
    for path in folder.rglob("*"):  # and what lies there is from tomorrow
        os.utime(path, (real() + 24 * _HOUR,) * 2)


def _fail_renames(number: int, times: int) -> Callable[[Path], None]:
    """Let so many renames of the folder's files fail with an error of the system."""

    def impose(folder: Path) -> None:
        left, real = [times], os.replace

        def replace(source: str | Path, target: str | Path) -> None:
            if str(target).startswith(str(folder)) and left[0]:
                left[0] -= 1
                raise OSError(number, os.strerror(number), str(source), None, str(target))
            real(source, target)

        os.replace = os.rename = replace  # type: ignore[assignment]

    return impose


def _remove_sillily(folder: Path) -> None:
    """Rename what is removed, as NFS does with what somebody has still open."""
    real, numbers = os.unlink, iter(range(1 << 60))

    def unlink(path: str | Path, *, dir_fd: int | None = None) -> None:
        if str(path).startswith(str(folder)) and Path(path).exists() and ".nfs" not in str(path):
            os.rename(path, Path(path).with_name(f".nfs{next(numbers):08x}"))
            return
        real(path, dir_fd=dir_fd)

    os.unlink = os.remove = unlink


def _sweep_nfs(folder: Path) -> None:
    for path in folder.rglob(".nfs*"):
        path.unlink()


def all_places() -> list[Place]:
    """Every place that can be made without being root."""
    return [
        Place("no byte more", _limit_files(0)),
        Place("little room", _limit_files(3000)),
        Place("read-only", _forbid_writing, _allow_writing),
        Place("no temporary space", _take_temporary_space),
        Place("clock goes back", _turn_clocks_back, harmless=True),
        Place("rename across devices", _fail_renames(errno.EXDEV, 1 << 30)),
        Place("network folder gone", _fail_renames(errno.ESTALE, 1 << 30)),
        Place("network folder gone once", _fail_renames(errno.ESTALE, 1)),
        Place("removed by NFS", _remove_sillily, _sweep_nfs),
        Place("newline in a folder's name", inside="a\nb", harmless=True),
        Place("emoji in a folder's name", inside="🙂👩‍🚀", harmless=True),
        Place("255 bytes in a folder's name", inside="x" * 255, harmless=True),
        Place("no text in a folder's name", inside=os.fsdecode(b"\xff\xfe")),
    ]


class Tenant:
    """One work and its undisturbed end, to be done in places.

    Args:
        work: the work.
        folder: an empty one.
    """

    def __init__(self, work: Work, folder: Path) -> None:
        self.work, self._folder = work, folder
        self._pristine = folder / "pristine"
        self._pristine.mkdir(parents=True)
        code, said = told(lambda: work.prepare(self._pristine))
        undisturbed = self._laid(folder / "undisturbed")
        if not code:
            code, said = told(lambda: work.run(undisturbed))
        if code:
            raise RuntimeError(f"{work.name} ends with {code} where nothing is wrong: {said[-500:]}")
        self._expected, self._files = self._end(undisturbed), self._seen(undisturbed)

    def stay(self, place: Place) -> Stay:
        """Do the work in a place; judge what it says and leaves; then do it again where nothing is wrong any more."""
        root = self._laid(self._folder / "place" / place.inside)

        def work() -> int:
            place.impose(root)
            return self.work.run(root)

        code, said = told(work)
        place.lift(root)
        faults = self._judged(root, place, code, said)
        if not (code and place.inside):  # whoever reads the error goes elsewhere
            faults += self._done_again(root)
        shutil.rmtree(self._folder / "place")
        lines = [line.replace(f"{root}/", "") for line in said.splitlines() if "rror: " in line or "failed: " in line]
        return Stay(self.work.name, place.name, code, lines[0] if lines else "", tuple(faults))

    def _judged(self, root: Path, place: Place, code: int, said: str) -> list[str]:
        faults = []
        if code and place.harmless:
            faults.append(f"ended with {code}, where nothing is in its way: {said[-400:]}")
        elif code and (not 1 <= code <= 4 or UNNAMED.search(said) or not said.strip()):
            faults.append(f"ended with {code}, and not by a named error: {said[-600:]}")
        elif not code and (found := self._end(root)) != self._expected:
            faults.append(f"another end, and no word of it: {found[:300]} / {self._expected[:300]}")
        for name, content in self._seen(root).items():
            if self._files.get(name, content) != content:
                faults.append(f"{name} is partial")
        faults += [f"{path.relative_to(root)} is left" for path in root.rglob(".*") if _LEFT.search(path.name)]
        return faults

    def _done_again(self, root: Path) -> list[str]:
        code, said = told(lambda: self.work.run(root))
        if code:
            return [f"done again, it ended with {code}: {said[-400:]}"]
        found = self._end(root)
        if found != self._expected:
            return [f"done again, it had another end: {found[:300]} / {self._expected[:300]}"]
        return []

    def _laid(self, root: Path) -> Path:
        shutil.copytree(self._pristine, root, symlinks=True)
        return root

    def _seen(self, root: Path) -> dict[str, str]:
        paths = [path for pattern in self.work.seen for path in root.glob(pattern)]
        files = [path for path in paths if path.is_file() and not path.name.startswith(".")]
        return {str(path.relative_to(root)): self.work.whole(path) for path in files}

    def _end(self, root: Path) -> str:
        """What is there, told by a child: libraries that read it keep threads."""
        code, said = told(lambda: print(self.work.found(root)))
        return said if not code else f"cannot be told: {said[-300:]}"


def told(work: Callable[[], int | None]) -> tuple[int, str]:
    """Do something in a child; its exit code, -signal if one ended it, and what it said through a pipe.

    A pipe, as files may have limits.
    """
    reading, writing = os.pipe()
    child = in_child(quietly(work, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def campaign(folder: Path, works: Sequence[Work], places: Sequence[Place], deadline: float | None = None) -> list[Stay]:
    """Do every work in every place, or as many as there is time for.

    Args:
        folder: an empty one.
        works: what is done.
        places: where.
        deadline: on the monotonic clock, after which nothing more is begun.
    """
    stays = []
    for work in works:
        if deadline is not None and time.monotonic() > deadline:
            break
        tenant = Tenant(work, folder / work.name)
        for place in places:
            if deadline is None or time.monotonic() < deadline:
                stays.append(tenant.stay(place))
        shutil.rmtree(folder / work.name)
    return stays
