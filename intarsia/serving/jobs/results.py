"""Results: files of a job sent whole, in part (RFC 9110, section 14), or all as one archive, never whole in memory."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import IO, Any, cast

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from intarsia.serving.filenames import disposition
from intarsia.serving.jobs.store import Output
from intarsia.serving.problems import Problem

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_UNSATISFIABLE = 416


def send_file(request: Request, path: Path, output: Output) -> Response:
    """Send a file, or the part of it that is asked for; what is asked for in several parts is sent whole.

    Raises:
        Problem: the part lies behind its end (416).
    """
    status = path.stat()
    size, tag = status.st_size, f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
    headers = {
        "ETag": tag, "Accept-Ranges": "bytes", "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(Path(output.name).name),
    }  # fmt: skip
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range", "")
    part = read_range(wanted, size) if request.headers.get("if-range", tag) == tag else None
    first, last = part or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        return Response(status_code=206 if part else 200, headers=headers, media_type=output.media_type)
    content = _pieces(path, first, last + 1)
    return StreamingResponse(content, 206 if part else 200, headers, media_type=output.media_type)


def read_range(said: str, size: int) -> tuple[int, int] | None:
    """Read a Range header.

    Args:
        said: the header.
        size: of the file in bytes.

    Returns:
        The first and the last byte; None for all of it, also where the header is none, or names several parts.

    Raises:
        Problem: no byte of the file is in it (416).
    """
    match = _RANGE.fullmatch(said.strip())
    if match is None or match[0].endswith("=-"):
        return None
    begins, ends = match[1], match[2]
    if begins and ends and int(begins) > int(ends):
        return None
    first = int(begins) if begins else max(0, size - int(ends))
    last = min(size - 1, int(ends)) if begins and ends else size - 1
    if first >= size or (not begins and int(ends) == 0):
        raise Problem(
            _UNSATISFIABLE,
            f"the file has {size:,} bytes, and none of {said}",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, last


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece


def zipped(folder: Path, outputs: Iterable[Output]) -> Iterator[bytes]:
    """Pack results as a zip archive while it is sent; the files are packed already, and stored as they are."""
    sink = _Sink()
    with zipfile.ZipFile(cast(IO[bytes], sink), "w") as archive:
        for output in outputs:
            path = folder / output.name
            with archive.open(zipfile.ZipInfo(output.name), "w", force_zip64=True) as entry:
                for piece in _pieces(path, 0, output.bytes):
                    entry.write(piece)
                    yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """What a zip archive is written into, and taken out of piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = bytearray()

    def writable(self) -> bool:
        """It is written into, and nothing else."""
        return True

    def write(self, data: Any) -> int:
        """Keep bytes."""
        self._kept += data
        return len(data)

    def take(self) -> bytes:
        """Give what was written since the last time."""
        found = bytes(self._kept)
        self._kept.clear()
        return found
