"""Zip files of annotation exports, unpacked safely into a folder that lasts as long as somebody uses it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from threading import Lock
from types import ModuleType
from typing import IO
from weakref import WeakValueDictionary, finalize

from intarsia.annotations.finding import head
from intarsia.errors import DataError
from intarsia.files import reason

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: folders that a killed process left stay until the system cleans them
    fcntl = None

MOST_FILES = 200_000
MOST_BYTES = 20 << 30
MOST_RATIO = 200
"""Unpacked size over packed size of a whole archive above 100 MB; text packs 10 to 50 times, bombs 1000 times."""

_SMALL = 100 << 20
_PREFIX = "intarsia-archive-"
_LOCK = "lock"


class Unpacked:
    """The folder of an unpacked archive, which is removed when nobody holds this object any more.

    Whoever keeps paths into the folder keeps the object too: an export, its documents, a data set. Pickled, it becomes
    the same object in this process, and in another one (a loading worker) a mere name, which removes nothing.

    Attributes:
        folder: with the archive's files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], Unpacked], tuple[str]]:
        return _found_again, (str(self.folder),)


_in_use: WeakValueDictionary[tuple[str, int, int], Unpacked] = WeakValueDictionary()
_one_at_a_time = Lock()


def is_zip(path: Path) -> bool:
    """Tell a zip archive by its first bytes."""
    return path.is_file() and head(path, 4) in (b"PK\x03\x04", b"PK\x05\x06")


def unpack(path: Path) -> Unpacked:
    """Unpack a zip archive; while the result of an earlier call is in use, that one is returned.

    Everything is checked from the archive's directory before a byte is written.

    Raises:
        DataError: not a zip file or damaged, encrypted, a name that leads outside, too many files, a bomb.
    """
    status = os.stat(path)
    key = (os.path.abspath(path), status.st_mtime_ns, status.st_size)
    with _one_at_a_time:
        unpacked = _in_use.get(key)
        if unpacked is None:
            unpacked = _in_use[key] = _unpacked(path)
    return unpacked


def _unpacked(path: Path) -> Unpacked:
    _remove_leftovers()
    place = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = _lock(place)
    try:
        extract(path, place / "files")
    except BaseException:
        _remove(place, lock, os.getpid())
        raise
    unpacked = Unpacked(place / "files")
    finalize(unpacked, _remove, place, lock, os.getpid())
    return unpacked


def _found_again(folder: str) -> Unpacked:
    """The object that owns a folder, if it lives in this process, or one that owns nothing."""
    return next((one for one in list(_in_use.values()) if str(one.folder) == folder), None) or Unpacked(Path(folder))


def _lock(place: Path) -> IO[bytes] | None:
    """Lock a folder for as long as this process (and what it forks) lives; None where the system has no such locks.

    The lock gets its name when it is held already, so that no other process can take it for a leftover in between.
    """
    if fcntl is None:
        return None
    file = (place / f"{_LOCK}.new").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(file.name, place / _LOCK)
    except OSError:  # a file system without locks
        file.close()
        return None
    return file


def _remove(place: Path, lock: IO[bytes] | None, owner: int) -> None:
    """Remove a folder and free its lock, but only in the process that made it: forked workers leave it alone."""
    if os.getpid() == owner:
        shutil.rmtree(place, ignore_errors=True)
        if lock is not None:
            lock.close()


def _remove_leftovers() -> None:
    """Remove what killed processes left: the folders whose lock nobody holds."""
    if fcntl is None:
        return
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), path.open("r+b") as file:  # in use, another user's, or gone meanwhile
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)


def extract(path: Path, folder: Path) -> None:
    """Unpack a zip archive into a folder that is not there yet; for what is checked, see `unpack`.

    Raises:
        DataError: not a zip file or damaged, encrypted, a name that leads outside, too many files, a bomb.
    """
    try:
        folder.mkdir()
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(path, members)
            for member in members:
                target = folder.joinpath(*_parts(member.filename))
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("xb") as file:
                    # Unpacking stops at the size that the header says, so a lying one cannot fill the disk.
                    shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: the archive is damaged ({error}); download it again") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise DataError(f"{path}: the archive is damaged ({error}); download it again") from error
    except FileExistsError as error:
        raise DataError(f"{path}: two files in the archive have one name: {Path(error.filename).name}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be unpacked: {reason(error)}") from error


def _check(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_FILES:
        raise DataError(f"{path}: refused: {len(members):,} files are more than the limit of {MOST_FILES:,}")
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > MOST_BYTES:
        raise DataError(f"{path}: refused: it would unpack to {total:,} bytes; unpack it yourself if it is genuine")
    if total > _SMALL and total > MOST_RATIO * packed:
        raise DataError(
            f"{path}: refused: its {packed:,} bytes would unpack to {total:,}, as only zip bombs do; "
            "unpack it yourself if it is genuine"
        )
    for member in members:
        if member.flag_bits & 1:
            raise DataError(f"{path}: {member.filename} is encrypted; unpack the archive with its password first")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path}: refused: {member.filename} is a link, which could lead outside; remove it")
        _parts(member.filename, path)


def _parts(name: str, path: Path | None = None) -> tuple[str, ...]:
    """The folders and file of a member's name, none of which leads upwards or to another root."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or parts[0].endswith(":") or "\0" in name:
        raise DataError(f"{path}: refused: the member {name!r} would be written outside the folder; pack it again")
    return parts
