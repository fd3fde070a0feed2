"""How much memory JSON takes when it is read, judged before that: a small file may hold very many values."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath

from intarsia.serving.problems import TOO_LARGE, Problem
from intarsia.serving.uploads import Upload

# Bytes of a value in its list or mapping, of a list or mapping itself, and of a character, which is there twice for a
# time; measured on COCO files. Of empty mappings that is
# half as much again as they take.
_VALUE, _CONTAINER, _CHARACTER = 50, 64, 2
_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What reading an archive raises."""
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".geojson")


def check_json(files: Iterable[Upload], most: int) -> int:
    """Judge annotations that were sent by how much memory the largest JSON file of them takes.

    Args:
        files: JSON files, zip archives of them, or others, which take nothing here.
        most: bytes.

    Returns:
        Bytes.

    Raises:
        Problem: it takes more than that (413).
    """
    largest = 0
    for upload in files:
        with suppress(*_DAMAGE):  # its reader says so
            for name, blocks in _parts(upload):
                weight = _weigh(blocks, most)
                if weight > most:
                    raise Problem(
                        TOO_LARGE,
                        f"{name} holds so many values that reading it takes more than {most:,} bytes of memory: divide "
                        "it, convert it in the shell (intarsia annotations convert), or raise --max-held",
                    )
                largest = max(largest, weight)
    return largest


def _parts(upload: Upload) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of everything in a file that may be JSON."""
    content = upload.content
    if content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        yield upload.name, (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))
        return
    if not content.startswith(b"PK"):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if PurePosixPath(member.filename).suffix.lower() in _SUFFIXES:
                with archive.open(member) as file:
                    yield member.filename, iter(partial(file.read, _BLOCK), b"")


def _weigh(blocks: Iterable[bytes], most: int) -> int:
    """Bytes of memory that JSON takes, roughly; counted no further than `most`."""
    total = 0
    for block in blocks:
        total += weight(block)
        if total > most:
            break
    return total


def weight(block: bytes) -> int:
    """Bytes of memory that a part of a JSON text takes when it is read, roughly."""
    values, containers = block.count(b",") + block.count(b":"), block.count(b"[") + block.count(b"{")
    return _VALUE * values + _CONTAINER * containers + _CHARACTER * len(block)
