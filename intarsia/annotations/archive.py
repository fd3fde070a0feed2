"""Zip files of annotation exports, unpacked safely into a folder that lasts as long as the process."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError

MOST_FILES = 200_000
MOST_BYTES = 20 << 30
MOST_RATIO = 200
"""Unpacked size over packed size of a whole archive above 100 MB; text packs 10 to 50 times, bombs 1000 times."""

_SMALL = 100 << 20

_unpacked: dict[tuple[str, int, int], tempfile.TemporaryDirectory[str]] = {}


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive, by its first bytes."""
    from intarsia.annotations.finding import head

    return path.is_file() and head(path, 4) in (b"PK\x03\x04", b"PK\x05\x06")


def unpack(path: Path) -> Path:
    """Unpack a zip archive and return the folder; it is removed when the process ends. Twice asked, unpacked once.

    Everything is checked from the archive's directory before a byte is written.

    Raises:
        DataError: not a zip file or damaged, encrypted, a name that leads outside, too many files, a bomb.
    """
    status = os.stat(path)
    key = (os.path.abspath(path), status.st_mtime_ns, status.st_size)
    if key not in _unpacked:
        folder = tempfile.TemporaryDirectory(prefix="intarsia-")
        try:
            _extract(path, Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise
        _unpacked[key] = folder
    return Path(_unpacked[key].name)


def _extract(path: Path, folder: Path) -> None:
    try:
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
        raise DataError(f"{path}: cannot be unpacked: {error.strerror or error}") from error


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
