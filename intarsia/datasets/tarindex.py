"""Find the files in a tar archive by their headers, without unpacking: where each begins, and how long it is.

Only what is harmless is understood: plain files under names that stay below the archive. Every size is checked against
the file's before it is believed, and each step goes forward, so that no archive costs more than its own length.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError
from intarsia.files import reason

_BLOCK = 512
_MOST_NAME = 1 << 20  # bytes of an extended header, which holds names
_PLAIN, _FOLDER, _LONG_NAME, _LONG_LINK = b"0\x007", b"5", b"L", b"K"
_OWN, _COMMON = b"x", b"g"  # extended headers of pax: of the next file, of all files
_RECORD = re.compile(rb"(\d{1,9}) ([^=\n]+)=")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its name there, and where its bytes lie in the archive's."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class _Header:
    name: bytes
    size: int
    kind: bytes


def entries(path: Path) -> Iterator[Entry]:
    """Go through the plain files of an archive in their order; folders and hidden files are passed over.

    Raises:
        DataError: it is no tar archive, it is compressed, damaged or cut off, or something in it is a link or leads
            outside.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason(error)}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield from _entries(path, file.fileno(), os.fstat(file.fileno()).st_size)


def _entries(path: Path, file: int, length: int) -> Iterator[Entry]:
    position, said = 0, dict[str, bytes]()
    while block := _bytes(file, position, _BLOCK):
        if not any(block):
            return  # the end's mark; what follows is padding
        header = _header(path, block, position)
        begin, size = position + _BLOCK, header.size
        if header.kind in _OWN + _COMMON + _LONG_NAME + _LONG_LINK:
            if size > _MOST_NAME:
                raise DataError(f"{path}: refused: a name at byte {position} takes {size:,} bytes")
            content = _bytes(file, begin, size)
            if header.kind == _LONG_NAME:
                said["path"] = content.rstrip(b"\0")
            elif header.kind == _OWN:
                said |= _records(path, content)
        else:
            size = _number(path, said["size"], 10) if "size" in said else size
            name = _name(path, said.get("path", header.name))
            if header.kind not in _PLAIN + _FOLDER or any(key.startswith("GNU.sparse") for key in said):
                raise DataError(f"{path}: {name} is a link or a special file, not a plain one; pack the file itself")
            if begin + size > length:
                raise DataError(f"{path}: {name} has {size:,} bytes, but the archive ends before; copy it again")
            if header.kind in _PLAIN and not any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
                yield Entry(name, begin, size)
            said = {}
        position = begin + -(-size // _BLOCK) * _BLOCK
    if not position or position > length:
        raise DataError(f"{path}: the archive is empty or cut off; copy it again")


def _bytes(file: int, position: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, size, position)
    os.lseek(file, position, os.SEEK_SET)  # Windows
    return os.read(file, size)


def _header(path: Path, block: bytes, position: int) -> _Header:
    checksum = b"%o" % (sum(block[:148]) + sum(block[156:]) + 8 * ord(" "))
    if len(block) < _BLOCK or block[148:156].strip(b"\0 ").lstrip(b"0") != checksum:
        if block.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
            raise DataError(f"{path}: the archive is compressed, so that nothing in it can be found; decompress it")
        raise DataError(f"{path}: not a tar archive, or damaged at byte {position}; copy it again")
    name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    if block[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    size = block[124:136]
    if size[0] == 0x80:  # a size in binary, of very large files
        return _Header(name, int.from_bytes(size[1:], "big"), block[156:157])
    return _Header(name, _number(path, size.strip(b"\0 ") or b"0", 8), block[156:157])


def _number(path: Path, text: bytes, base: int) -> int:
    try:
        if len(text) > 20 or not text.isdigit():
            raise ValueError
        return int(text, base)
    except ValueError:
        raise DataError(f"{path}: not a tar archive, or damaged: {text[:20]!r} is no number") from None


def _records(path: Path, content: bytes) -> dict[str, bytes]:
    """The records of an extended header: "LENGTH KEY=VALUE" and a line break, the length that of the whole record."""
    found = {}
    while content and content[0]:
        match = _RECORD.match(content)
        length = int(match[1]) if match else 0
        if match is None or not match.end() < length <= len(content):
            raise DataError(f"{path}: damaged: an extended header cannot be read; copy it again")
        found[match[2].decode("utf-8", "replace")] = content[match.end() : length - 1]
        content = content[length:]
    return found


def _name(path: Path, stored: bytes) -> str:
    """A name that stays below the archive, without a leading "./"; bytes that are no text stay what they are."""
    text = stored.decode("utf-8", "surrogateescape")
    pure = PurePosixPath(text)
    if pure.is_absolute() or ".." in pure.parts or "\0" in text or "\\" in text or _DRIVE.match(text):
        raise DataError(f"{path}: refused: {text!r} leads out of the archive")
    return pure.as_posix()
