"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import glob
import hashlib
import importlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, TypeVar

from intarsia.errors import DataError, UsageError

_T = TypeVar("_T")
_TRIES = 100  # of making a folder that others remove; they cannot be in the way each time


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` on success, remove it on any failure.

    The content is flushed to disk before the rename, so that after a crash the target is either the old file or
    the whole new one. The temporary name keeps the suffix, so that writers which look at it still work.

    Raises:
        DataError: the disk is full, the folder cannot be written, or the target is neither a file nor free.
    """
    target = Path(path)
    if os.path.lexists(target) and not os.path.isfile(target) and not os.path.isdir(target):
        # A rename would put a file in its place: for everybody, where it is /dev/null.
        raise DataError(f"cannot write {target}: it is a device, a pipe or a broken link; choose another name")
    temporary = target.with_name(_temporary(target))
    try:
        # The system says why a place cannot be written; libraries that write often do not.
        within(target.parent, temporary.touch)
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
    except OSError as error:
        if error.errno in _REASONS and not _is_of_another(error, target):
            raise DataError(f"cannot write {target}: {reason(error)}") from error
        raise
    finally:
        with suppress(OSError):  # nothing to remove after success; a failure here must not hide the reason above
            temporary.unlink()


def _temporary(target: Path) -> str:
    """A name beside the target that no other process has; short, where the target's is as long as names may be."""
    owner = f"{os.getpid()}-{_TOKEN}"
    name = f".{target.stem}.{owner}.tmp{target.suffix}"
    return name if len(os.fsencode(name)) <= _LONGEST else f".{_short(target)}.{owner}.tmp{target.suffix}"


def sweep(target: Path) -> None:
    """Remove what processes that were killed left of a file, or below a folder, when they wrote by `atomic_path`.

    What others are at stays.
    """
    for path in target.rglob(".*.tmp*") if target.is_dir() else leftovers(target):
        left = _LEFT.fullmatch(path.name)
        if left is not None and path.is_file() and not lives(int(left[1])):
            path.unlink(missing_ok=True)


def lives(process: int) -> bool:
    """Tell whether a process of this machine is there, as far as it can be asked."""
    if os.name == "nt":  # where asking would interrupt it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's; or no process ever had this number
        return True
    return True


_LEFT = re.compile(r"\..+\.(\d+)-[0-9a-f]+\.tmp(\.[^.]*)?")


def leftovers(target: Path) -> list[Path]:
    """List the temporary files that processes have left beside a target when they were killed."""
    ends = f".*.tmp{glob.escape(target.suffix)}"
    names = (glob.escape(target.stem), _short(target))
    return [file for name in names for file in target.parent.glob(f".{name}{ends}") if file.is_file()]


def _short(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]


_TOKEN = secrets.token_hex(3)  # processes on other machines, and in other containers, may have the same number
_LONGEST = 255  # bytes of a name, on the common file systems


def local(name: str | os.PathLike[str], *, writing: bool = False) -> str | os.PathLike[str]:
    """Take the address of a file (``file:///...``) for the path that it means; leave everything else as it is.

    Args:
        name: as people write it.
        writing: it is where results go, and not read.

    Raises:
        UsageError: an address of the network, or, where it is read, what `require_file` refuses.
    """
    text = os.fspath(name)
    if not writing:
        require_file(text, "save it first, or pipe it into - instead")
    address = _ADDRESS.fullmatch(text)
    if address is None or os.path.lexists(text):
        return name
    scheme, rest = address["scheme"].lower(), address["rest"]
    if scheme == "file":
        host, slash, path = rest.partition("/") if address["slashes"] == "//" else ("", "/", rest)
        if host in ("", "localhost"):
            from urllib.request import url2pathname  # which loads the whole of http

            return url2pathname(slash + path)
    whole = f"{scheme}://{rest}"
    if writing:
        raise UsageError(f"cannot write to {whole}: nothing is sent over the network; name a folder or a file")
    raise UsageError(
        f"cannot read {whole}: nothing is read from the network. Download it first (curl -LO {whole}), or pipe it in "
        f"(curl -L {whole} | intarsia segment - -o labels.png)"
    )


def require_file(name: str | os.PathLike[str], fix: str) -> None:
    """Refuse what is there and can neither be gone through as a folder nor be read twice, as files are.

    Opening a pipe waits for a writer, for ever where none comes.

    Raises:
        UsageError: it is a pipe, a socket or a device; `fix` says what to do.
    """
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):  # who reads it says so
        return
    found = next((kind for is_kind, kind in _NO_FILES if is_kind(mode)), None)
    if found is not None:
        raise UsageError(f"cannot read {os.fspath(name)}: it is {found}, no file; {fix}")


_NO_FILES = (
    (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip
# Paths have lost one of the slashes already. A single letter is a drive.
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>/{1,2})(?P<rest>.*)", re.DOTALL)


def below(folder: Path) -> Iterator[Path]:
    """Go through what is below a folder, hidden files and pipes left out; links are followed, never in a circle.

    Raises:
        DataError: a folder cannot be read.
    """
    known = _LISTED.get()
    found = (folder / name for name, _ in walk(folder))
    if known is None:
        yield from found
        return
    if folder not in known:
        known[folder] = tuple(found)
    yield from known[folder]


_LISTED: ContextVar[dict[Path, tuple[Path, ...]] | None] = ContextVar("listed", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Have `below` list each folder once meanwhile: for questions about one state of a folder, asked in a row."""
    token = _LISTED.set({} if (known := _LISTED.get()) is None else known)
    try:
        yield
    finally:
        _LISTED.reset(token)


def walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """Go through what is below a folder, as `below` does: its posix path there, and whether it is a folder.

    Raises:
        DataError: a folder cannot be read.
    """
    yield from _walk(os.fspath(folder), "", frozenset())


def _walk(folder: str, before: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    names, folders = [], set()  # no entry is kept: each takes far more than its name
    try:
        status = os.stat(folder)
        with os.scandir(folder) as found:  # which tells what each is without a look at it
            for entry in found:
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if _is(entry.is_dir):
                    folders.add(entry.name)
                # A pipe holds nothing, and opening it waits for a writer, for ever where none comes.
                elif not _is(entry.is_file) and Path(entry.path).is_fifo():
                    continue
                names.append(entry.name)
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for name in sorted(names):
        yield before + name, name in folders
        if name in folders:
            yield from _walk(os.path.join(folder, name), f"{before}{name}/", above | {here})


def _is(what: Callable[[], bool]) -> bool:
    """Ask an entry what it is; no link to itself is anything."""
    try:
        return what()
    except OSError:
        return False


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space, or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space, or choose another folder",
    errno.EFBIG: "the file is larger than this system or its limits allow; allow more (ulimit -f)",
    errno.EACCES: "permission denied; choose a folder that you may write",
    errno.EPERM: "this system does not permit it; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file or a broken link, not a folder",
    errno.EISDIR: "a folder has this name; choose another one",
    errno.ENOENT: "there is no such file or folder; was it moved while it was needed?",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
    errno.ELOOP: "a link leads back to itself; mend or remove it",
    errno.EXDEV: "it lies on another device than the folder around it, as mounted files do; choose another folder",
    errno.EIO: "the disk or the connection to it fails; copy what is there to another one",
    errno.ESTALE: "the network folder is no longer there; connect it again",
    errno.EMFILE: "too many files are open; allow more (ulimit -n)",
    errno.ETXTBSY: "another program is using the file; close it there",
}


def reason(error: OSError) -> str:
    """Why the system refused something, and what to do, in words."""
    if isinstance(error, FileNotFoundError) and "temporary directory" in (error.strerror or ""):  # of `tempfile`
        return "no folder for temporary files can be written; set TMPDIR to one that can"
    return _REASONS.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__


def place_error(error: OSError) -> DataError:
    """What to tell people of an error of the system that nobody has explained closer to where it came from."""
    place = error.filename2 or error.filename
    return DataError(f"{os.fsdecode(place)}: {reason(error)}" if isinstance(place, str | bytes) else reason(error))


def _is_of_another(error: OSError, target: Path) -> bool:
    """Whether an error names a file that lies elsewhere than what is written: one that was read meanwhile."""
    place = error.filename2 or error.filename  # a copy names its source first
    if not isinstance(place, str | bytes):
        return False
    named = Path(os.fsdecode(place))
    return named.parent != target.parent and named not in target.parents


def require_place(folder: Path) -> None:
    """Refuse a folder for results that could not be made later, before any work; nothing is made.

    Raises:
        DataError: a part of it is a file, or may not be written.
    """
    nearest = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise DataError(f"cannot make the folder {folder}: {nearest} is a file or a broken link; choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError(f"cannot make the folder {folder}: {nearest} may not be written; choose another folder")


def within(folder: Path, use: Callable[[], _T]) -> _T:
    """Make a folder and use it; again, where another worker removed it in between because it was empty.

    Args:
        folder: made with those that it lies in.
        use: makes something in it.

    Raises:
        OSError: it cannot be made, or used.
    """
    for tries in reversed(range(_TRIES)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return use()
        except (FileExistsError, FileNotFoundError):  # the first as well: it was there, and then it was none
            if not tries:
                raise
    raise AssertionError("the last try returns or raises")


def make_folder(folder: Path) -> None:
    """Make a folder that results go into, with those that it lies in.

    Raises:
        DataError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {folder}: {reason(error)}") from error


def require_room(path: Path) -> None:
    """Have the system say why a library could not write a file, by writing more of it; the file is worthless then.

    Raises:
        OSError: the system's reason. Without one it was not the place.
    """
    with path.open("ab") as file:
        file.write(bytes(1 << 20))
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """Compute the SHA-256 of a file; of a folder, that of the names and contents of all files in it, sorted."""
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    found = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        found.update(f"{file.relative_to(path).as_posix()}\0{checksum(file)}\n".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def sync(path: Path) -> None:
    """Flush one file or folder to disk."""
    if os.name == "nt" and path.is_dir():  # which cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write a UTF-8 text file whole or not at all; bytes of file names that are no text stand in it as ``\udcff``."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded(text))


def is_text(path: Path) -> bool:
    """Tell whether a name is text in UTF-8: libraries of other languages often take no others."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def encoded(text: str) -> bytes:
    r"""Encode as UTF-8, whatever is in it.

    Names of files need not be text; Python holds their bytes as lone halves of surrogate pairs, which UTF-8 lacks. They
    become ``\udcff``, which JSON and YAML read back as the same name.
    """
    return text.encode("utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def lock(stream: IO[Any], *, wait: bool = False) -> bool:
    """Lock an open file against other processes (and other openings of it) until it is closed or the process ends.

    Args:
        stream: opened for writing.
        wait: until it is free, instead of returning False.

    Returns:
        Whether it is locked now.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return _lock_first_byte(stream, wait)
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def unlock(stream: IO[Any]) -> None:
    """Let go what `lock` holds, also for processes that were forked since: closing the file would not."""
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is forked
        return
    fcntl.flock(stream, fcntl.LOCK_UN)


def _lock_first_byte(stream: IO[Any], wait: bool) -> bool:
    msvcrt = importlib.import_module("msvcrt")
    stream.seek(0)
    while True:
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:  # after ten seconds, even if it shall wait
            if not wait:
                return False
            continue
        return True
