"""What clients send: read within limits, and judged from headers before anything is decoded."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from intarsia.media.header import check_frames, opened
from intarsia.media.medium import MEDIA
from intarsia.preprocessing import Preprocessing
from intarsia.serving.calls import Call
from intarsia.serving.problems import PREFIX, TOO_LARGE, TOO_LATE, UNPROCESSABLE, UNSUPPORTED, Problem
from intarsia.serving.settings import Settings
from intarsia.transforms.preprocess import working_size

PATIENCE = 30.0
"""Seconds in which a body must have come."""
MOST_FILES, MOST_FIELDS = 100, 100
RGB_BYTES = 3
"""Of a pixel of a decoded picture."""

_LONGEST = 100  # characters of a name
_LONGEST_SIDE = 65_535  # pixels, as JPEG has it: lines of pixels cost far more than their number

_SUFFIXES = tuple(sorted({suffix for medium in MEDIA for suffix in medium.suffixes}, key=len, reverse=True))
_TYPES = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/bmp": ".bmp", "image/gif": ".gif",
    "image/tiff": ".tif", "image/avif": ".avif", "image/jp2": ".jp2", "application/dicom": ".dcm",
    "application/gzip": ".nii.gz", "application/vnd.las": ".las", "application/vnd.laszip": ".laz", "video/mp4": ".mp4",
    "model/ply": ".ply", "video/webm": ".webm", "video/quicktime": ".mov", "video/x-matroska": ".mkv",
}  # fmt: skip
_UNTOLD = ("", "application/octet-stream", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Upload:
    """A file that a client sent.

    Attributes:
        content: its bytes.
        name: what the client called it, for messages and answers only; never a path.
        suffix: a known one, by the name, or by the content type; ".png" stands for any picture.
    """

    content: bytes
    name: str
    suffix: str

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name.removesuffix(self.suffix) or "upload"

    @property
    def path(self) -> Path:
        """A relative path that stands for it where only a name is looked at."""
        return Path(f"upload{self.suffix}")

    @property
    def is_plain(self) -> bool:
        """Whether it can be nothing but one picture, so that it needs no file."""
        name = f"upload{self.suffix}"
        return all(bytes in medium.types for medium in MEDIA if medium.claims(name))


@dataclass(frozen=True)
class Form:
    """A request's fields and files.

    Attributes:
        files: by name of the field, in their order.
        fields: texts by name.
    """

    files: Mapping[str, list[Upload]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def file(self, name: str = "file") -> Upload:
        """Give the one file of a field.

        Raises:
            Problem: there is none, or there are several.
        """
        found = self.files.get(name, [])
        if len(found) != 1:
            raise Problem(
                UNPROCESSABLE,
                f"send one file as the field {name!r} of a form (curl -F {name}=@photo.jpg), or as the body itself "
                f"(curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg'); there are {len(found)}",
            )
        return found[0]


async def read_form(request: Request) -> Form:
    """Read a form with files, or a body that is one file, into memory; how large it may be, the guard decides.

    Raises:
        Problem: it is too large (413), did not come within time (504), or is no form as the header says (400, 422).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with _patience(), request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS) as form:
            return await _of_form(form)
    body = await read_body(request)
    if not body:
        return Form()
    said = safe_name(request.query_params.get("name", ""))
    return Form({"file": [Upload(body, said, _suffix(said, kind, sent=True))]})


async def read_body(request: Request) -> bytes:
    """Read a body whole, whatever it is; how large it may be, the guard decides.

    Raises:
        Problem: it did not come within time (504).
    """
    async with _patience():
        return await request.body()


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Let a body come within `PATIENCE`."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise Problem(
            TOO_LATE, f"the body did not come within {PATIENCE:g} s", headers={"Connection": "close"}
        ) from None


def safe_name(said: str) -> str:
    """Make of what a client calls a file a name that leads nowhere: no folders, nothing hidden, not too long."""
    last = PurePosixPath(said.replace("\\", "/")).name
    plain = "".join(one for one in last if one.isprintable() and one not in '<>:"|?*').strip(" .")
    return plain[-_LONGEST:].lstrip(" .") or "upload"


def file_name(said: str, kind: str) -> str:
    """Make of what a client calls a file a name that leads nowhere, with a suffix that says what the file is.

    Args:
        said: the name.
        kind: content type, which decides where the name has no known suffix.
    """
    name = safe_name(said)
    known = name.lower().endswith((*_SUFFIXES, ".zip"))
    return name if known else name + (".zip" if kind == "application/zip" else _TYPES.get(kind, ""))


async def _of_form(form: FormData) -> Form:
    files: dict[str, list[Upload]] = {}
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            said = safe_name(value.filename or "")
            suffix = _suffix(said, (value.content_type or "").lower())
            files.setdefault(name, []).append(Upload(await value.read(), said, suffix))
        else:
            fields[name] = value
    return Form(files, fields)


def _suffix(name: str, kind: str, *, sent: bool = False) -> str:
    """A known suffix, by a file's name, else by its content type; ".png" of what is told by its first bytes."""
    by_name = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    if by_name:
        return by_name
    if sent and kind not in _TYPES and kind not in _UNTOLD and not kind.startswith("image/"):
        raise Problem(
            UNSUPPORTED, f"{kind} is no content type of what is read: {', '.join(_TYPES)}, or application/octet-stream"
        )
    return _TYPES.get(kind, ".png")


def check_picture(upload: Upload, settings: Settings, classes: int) -> tuple[int, int]:
    """Judge a picture by its header.

    Args:
        upload: the picture.
        settings: with the limits.
        classes: that its pixels would be told apart by.

    Returns:
        Width and height as stored.

    Raises:
        Problem: it has too many pixels, or too many pixels x classes (413).
        DataError: it is no picture, or several.
    """
    with opened(upload.content, upload.name) as image:
        width, height = image.size
        check_frames(image, upload.name)
    if max(width, height) > _LONGEST_SIDE:
        raise Problem(
            TOO_LARGE,
            f"{upload.name} is {width}x{height}; sides of up to {_LONGEST_SIDE} pixels are answered at once",
        )
    check_room(width * height, settings, classes, upload.name)
    return width, height


def check_working(
    name: str, width: int, height: int, preprocessing: Preprocessing, settings: Settings, classes: int
) -> None:
    """Refuse what `long_side` would enlarge to more than is answered at once.

    Raises:
        Problem: too many pixels, or pixels x classes, at the size at which the network sees it.
    """
    rows, columns = working_size(height, width, preprocessing)
    check_room(rows * columns, settings, classes, f"{name} at long_side={preprocessing.long_side}")


def check_room(pixels: int, settings: Settings, classes: int, name: str) -> None:
    """Refuse what is too large to be answered at once.

    Raises:
        Problem: too many pixels, or pixels x classes.
    """
    if pixels > settings.max_pixels:
        raise Problem(
            TOO_LARGE,
            f"{name} has {pixels / 1e6:.1f} megapixels, the limit is {settings.max_pixels / 1e6:g}; send it smaller, "
            "post it to /v1/jobs, or raise --max-pixels",
        )
    if 4 * pixels * classes > settings.max_scores:
        raise Problem(
            TOO_LARGE,
            f"{name} has {pixels / 1e6:.1f} megapixels, which with {classes} classes are more scores than "
            f"{settings.max_scores / 2**30:g} GiB; send it smaller, post it to /v1/jobs, or raise --max-scores",
        )


@asynccontextmanager
async def saved(upload: Upload, call: Call) -> AsyncIterator[Path]:
    """Keep an upload in a folder of its own, which goes with the block, once no thread works in it any more."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=PREFIX))
    try:
        path = folder / "in" / f"upload{upload.suffix}"  # scans have their labels in a folder beside theirs
        path.parent.mkdir()
        await asyncio.to_thread(path.write_bytes, upload.content)
        yield path
    finally:
        call.after(lambda: shutil.rmtree(folder, ignore_errors=True))
