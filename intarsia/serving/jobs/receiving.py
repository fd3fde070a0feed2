"""What is sent for a job: streamed to the job's folder, never whole in memory; archives are unpacked there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from intarsia.annotations.archive import extract
from intarsia.errors import DataError
from intarsia.files import below
from intarsia.media.clouds.tables import SUFFIXES as TABLES
from intarsia.serving.jobs.store import Folder
from intarsia.serving.problems import BAD_REQUEST, CLIENT_GONE, NO_SPACE, TOO_LATE, UNPROCESSABLE, Problem
from intarsia.serving.uploads import PATIENCE, file_name

MOST_FILES = 10_000
FILES = ("files", "file")
"""Fields of the form whose files are worked on."""

_SPARE = 256 << 20  # bytes that stay free on the disk
_PIECE = 1 << 20  # bytes that are written at a time
_LOOK = 64 << 20  # bytes between two looks at what is free
_POINTING = tuple(suffix for suffix in TABLES if suffix.startswith(".h"))
"""HDF5 can keep its numbers in any other file of the server."""


@dataclass
class _Part:
    """A part of a form, as its headers come."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""


class Receiver:
    """Takes a body piece by piece and writes the files in it.

    Args:
        folder: of the job.
        extras: fields of files besides `FILES`.
    """

    def __init__(self, folder: Folder, extras: tuple[str, ...]) -> None:
        self._folder, self._extras = folder, extras
        self._file: IO[bytes] | None = None
        self._sum: Any = None
        self._part = _Part()
        self._numbers: dict[str, int] = {}
        self._told: list[tuple[str, str, str]] = []
        self._count = self._unseen = 0
        self._whole = False

    def begin(self, field: str, said: str, kind: str) -> None:
        """Begin a file.

        Raises:
            Problem: too many, or of a field that takes none.
        """
        self._count += 1
        if self._count > MOST_FILES:
            raise Problem(UNPROCESSABLE, f"these are more than {MOST_FILES:,} files; send them as a zip archive")
        name = file_name(said, kind)
        if field in FILES:
            place = self._folder.input / self._free(name)
        elif field in self._extras and not self._folder.extra_file(field):
            place = self._folder.extra / f"{field}.{name}"
        else:
            known = ", ".join((*FILES[:1], *self._extras))
            raise Problem(UNPROCESSABLE, f"a file came as {field!r}, where the form has {known}, each extra one once")
        place.parent.mkdir(exist_ok=True)
        self._file, self._sum = place.open("xb"), hashlib.sha256()
        self._told.append((field, name, ""))

    def write(self, data: bytes) -> None:
        """Append to the file.

        Raises:
            Problem: the disk is full, or it is no file.
        """
        if self._file is None:
            raise Problem(
                UNPROCESSABLE, "a field of the form is no file; options stand in the query (?kind=segment&...)"
            )
        self._unseen += len(data)
        if self._unseen >= _LOOK:
            check_space(self._folder.path, 0)
            self._unseen = 0
        self._sum.update(data)
        self._file.write(data)

    def end(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
            self._told[-1] = (*self._told[-1][:2], self._sum.hexdigest())
            self._file = None

    def parser(self, boundary: bytes) -> MultipartParser:
        """Make what cuts a form into its files."""

        def collect(attribute: str, data: bytes, start: int, end: int) -> None:
            setattr(self._part, attribute, getattr(self._part, attribute) + data[start:end])

        def clear() -> None:
            self._part = _Part()

        def whole() -> None:
            self._whole = True

        def header() -> None:
            self._part.headers[self._part.name.lower()] = self._part.value
            self._part.name = self._part.value = b""

        return MultipartParser(
            boundary,
            {
                "on_part_begin": clear, "on_header_end": header, "on_headers_finished": self._open,
                "on_header_field": lambda data, start, end: collect("name", data, start, end),
                "on_header_value": lambda data, start, end: collect("value", data, start, end),
                "on_part_data": lambda data, start, end: self.write(data[start:end]), "on_part_end": self.end,
                "on_end": whole,
            },
        )  # fmt: skip

    def finish(self) -> None:
        """End a form.

        Raises:
            Problem: its last line did not come.
        """
        if not self._whole:
            raise Problem(BAD_REQUEST, "the body is no form as its header says: its end is missing")

    def digest(self) -> str:
        """The checksum of names and contents, in their order."""
        return hashlib.sha256(json.dumps(self._told).encode()).hexdigest()

    def close(self) -> None:
        """Close what a body that broke off has left open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def check(self) -> None:
        """Refuse a body without anything to work on.

        Raises:
            Problem: says how files are sent.
        """
        if not any(path.stat().st_size for path in self._folder.input.iterdir()):
            raise Problem(
                UNPROCESSABLE,
                "send files as fields of a form (curl -F files=@clip.mp4), or one as the body itself "
                "(curl --data-binary @clip.mp4 '...?name=clip.mp4')",
            )

    def _open(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b"").decode("latin-1"))
        if b"filename" in options:
            kind = self._part.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            said = options[b"filename"].decode("utf-8", errors="replace")
            self.begin(options.get(b"name", b"").decode("utf-8", errors="replace"), said, kind)

    def _free(self, name: str) -> str:
        """A name that no other file has, whatever the case of its letters."""
        stem, dot, suffix = name.partition(".")
        found, numbers = name, self._numbers
        while found.lower() in numbers:
            numbers[name.lower()] += 1
            found = f"{stem}-{numbers[name.lower()]}{dot}{suffix}"
        numbers[found.lower()] = 1
        return found


async def receive(request: Request, folder: Folder, extras: tuple[str, ...]) -> str:
    """Stream a request's body into the folder of a job, and unpack archives.

    Args:
        request: a form with files, or a body that is one, which the query names.
        folder: of the job.
        extras: fields of files that are not worked on, but needed for it.

    Returns:
        The checksum of what was sent.

    Raises:
        Problem: no files, too many, no form, no space on the disk (507), or the client is too slow (504).
        DataError: an archive is damaged, or is refused.
    """
    length = request.headers.get("content-length", "")
    check_space(folder.path, int(length) if length.isdecimal() else 0)
    kind, options = parse_options_header(request.headers.get("content-type"))
    receiver = Receiver(folder, extras)
    try:
        if kind == b"multipart/form-data":
            parser = receiver.parser(options.get(b"boundary", b""))
            await _stream(request, parser.write)
            receiver.finish()
        else:
            receiver.begin(FILES[0], request.query_params.get("name", ""), kind.decode("latin-1"))
            await _stream(request, receiver.write)
            receiver.end()
    except FormParserError as error:
        raise Problem(BAD_REQUEST, f"the body is no form as its header says ({error})") from error
    except ClientDisconnect:
        raise Problem(CLIENT_GONE, "the client left") from None
    finally:
        receiver.close()
    receiver.check()
    await asyncio.to_thread(unpack, folder)
    return receiver.digest()


async def _stream(request: Request, write: Any) -> None:
    """Hand a body on in pieces, written beside what answers."""
    chunks, kept = request.stream().__aiter__(), bytearray()
    while True:
        try:
            async with asyncio.timeout(PATIENCE):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise Problem(TOO_LATE, f"nothing came for {PATIENCE:g} s", headers={"Connection": "close"}) from None
        kept += chunk or b""
        if kept and (chunk is None or len(kept) >= _PIECE):
            await asyncio.to_thread(write, bytes(kept))
            kept.clear()
        if chunk is None:
            return


def check_space(place: Path, needed: int) -> None:
    """Refuse what would fill the disk.

    Raises:
        Problem: there is too little space (507).
    """
    free = shutil.disk_usage(place).free
    if free - _SPARE < needed:
        raise Problem(NO_SPACE, f"the server's disk has no room for {needed:,} bytes more; remove finished jobs")


def unpacked_bytes(archive: Path) -> int:
    """Read from an archive's directory how large its files are; 0 of what is none, which `extract` refuses."""
    try:
        with zipfile.ZipFile(archive) as packed:
            return sum(member.file_size for member in packed.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return 0


def unpack(folder: Folder) -> None:
    """Unpack each archive among what was sent into a folder of its name, in the archive's place.

    Raises:
        Problem: there is too little space.
        DataError: an archive is damaged or refused, or a file could lead to others of the server.
    """
    for archive in sorted(folder.input.glob("*.[zZ][iI][pP]")):
        check_space(folder.path, unpacked_bytes(archive))
        unpacked = archive.with_name(f".{archive.name}")
        extract(archive, unpacked)
        archive.unlink()
        unpacked.rename(archive)
    pointing = next((path for path in below(folder.input) if path.name.lower().endswith(_POINTING)), None)
    if pointing is not None:
        raise DataError(f"{pointing.name}: HDF5 is not taken, for it can point to other files; save it as NPZ or PLY")
