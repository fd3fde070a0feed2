"""Fetching public data sets, only when the user asks: resumable, checked, unpacked without leaving the folder."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from intarsia.datasets.public import Download, Entry
from intarsia.errors import DataError, UsageError
from intarsia.files import make_folder, reason

_CHUNK = 1 << 20
_TIMEOUT = 60
_MOST_FILES = 2_000_000
_MOST_RATIO = 100
"""Unpacked size over packed size of an archive; photos and masks stay below 20, bombs reach 1000."""

Progress = Callable[[int, int], None]


def get(entry: Entry, folder: Path, *, keep: bool = False, progress: Progress | None = None) -> list[Path]:
    """Fetch and unpack a data set.

    A download that was interrupted goes on where it stopped; a file that is there and intact is not fetched again.

    Args:
        entry: the data set.
        folder: where to put it; made when absent.
        keep: keep the archives after unpacking.
        progress: called with (bytes so far, bytes in all or 0).

    Returns:
        The folders and files that were unpacked to the top of `folder`.

    Raises:
        UsageError: the data set cannot be fetched without registration; says how to get it.
        DataError: the server fails, the checksum differs, the archive is unsafe, or the disk is full.
    """
    if not entry.downloads:
        raise UsageError(f"{entry.title} cannot be fetched by a program ({entry.license}).\n{entry.how_to_get()}")
    found: dict[Path, None] = {}
    for download in entry.downloads:
        archive = fetch(download, folder, progress=progress)
        found |= dict.fromkeys(unpack(archive, folder))
        if not keep:
            archive.unlink()
    return list(found)


def fetch(download: Download, folder: Path, *, progress: Progress | None = None) -> Path:
    """Fetch one file into a folder; a part of it that is there already is kept and completed.

    Raises:
        DataError: the server cannot be reached or fails, or the checksum differs.
    """
    target = folder / download.name
    if target.exists():
        _check(target, download)
        return target
    make_folder(folder)
    partial = target.with_name(f"{target.name}.part")
    try:
        _complete(download, partial, progress)
    except urllib.error.HTTPError as error:
        raise DataError(f"cannot fetch {download.url}: the server says {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        cause = getattr(error, "reason", error)
        raise DataError(
            f"cannot fetch {download.url}: {cause}; the same command continues where it stopped ({partial})"
        ) from error
    except OSError as error:
        raise DataError(f"cannot write {partial}: {reason(error)}; the same command goes on from there") from error
    try:
        _check(partial, download)
    except DataError:
        partial.unlink()  # nothing of it can be trusted, so the next attempt starts anew
        raise
    try:
        os.replace(partial, target)
    except OSError as error:
        raise DataError(f"cannot write {target}: {reason(error)}") from error
    return target


def _complete(download: Download, partial: Path, progress: Progress | None) -> None:
    """Append what is missing; where the server does not give parts, start anew."""
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(download.url, headers={"User-Agent": "intarsia"})
    if not download.url.startswith(("https://", "http://")):
        raise DataError(f"refused {download.url}: only http and https are fetched")
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and done:  # nothing is missing
            return
        raise
    with answer:
        resumed = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {done}-")
        done = done if resumed else 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if total and done < total:
            raise http.client.IncompleteRead(b"", total - done)


def _check(path: Path, download: Download) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != download.md5:
        raise DataError(
            f"{path}: its MD5 checksum is {digest.hexdigest()}, not {download.md5}: the file is damaged or changed; "
            f"remove it and fetch it again"
        )


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a tar (.tar, .tgz, .tar.gz) or zip archive below a folder.

    Links, devices and names that lead outside are refused before anything is written; files that exist are replaced.

    Returns:
        What lies at the top of the folder now.

    Raises:
        DataError: not an archive, damaged, unsafe, or a bomb.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                members = [one for one in packed.infolist() if not one.is_dir()]
                names = [_safe(one.filename, archive) for one in members]
                _refuse_bombs(archive, len(members), sum(one.file_size for one in members))
                for member, name in zip(members, names, strict=True):
                    with packed.open(member) as file:
                        _write(file, folder / name)
        else:
            names = _unpack_tar(archive, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError) as error:
        raise DataError(f"{archive}: not an archive, or damaged ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked: {reason(error)}") from error
    return [folder / name for name in dict.fromkeys(name.parts[0] for name in names)]


def _unpack_tar(archive: Path, folder: Path) -> list[PurePosixPath]:
    names: list[PurePosixPath] = []
    total = 0
    with tarfile.open(archive) as packed:
        for member in packed:
            if not (member.isreg() or member.isdir()):
                raise DataError(f"{archive}: refused: {member.name} is a link or a device, not a file")
            name = _safe(member.name, archive)
            total += member.size
            _refuse_bombs(archive, len(names), total)
            if member.isreg():
                names.append(name)
    with tarfile.open(archive) as packed:
        for member in packed:
            file = packed.extractfile(member) if member.isreg() else None
            if file is not None:
                with file:
                    _write(file, folder / _safe(member.name, archive))
    return names


def _safe(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")) or "\0" in name:
        raise DataError(f"{archive}: refused: {name!r} would be written outside of the folder")
    return path


def _refuse_bombs(archive: Path, files: int, size: int) -> None:
    packed = archive.stat().st_size
    if files > _MOST_FILES or size > max(_MOST_RATIO * packed, 100 << 20):
        raise DataError(f"{archive}: refused: its {packed:,} bytes would unpack to {files:,} files of {size:,} bytes")


def _write(file: IO[bytes], target: Path) -> None:
    make_folder(target.parent)
    partial = target.with_name(f".{target.name}.part")
    with partial.open("wb") as out:
        shutil.copyfileobj(file, out, _CHUNK)
    os.replace(partial, target)
