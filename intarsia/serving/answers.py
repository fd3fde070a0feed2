"""Answers: the forms in which labels leave the server."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from PIL import Image

from intarsia.annotations import AnnotatedImage
from intarsia.annotations.raster import without_unknown
from intarsia.annotations.tools import tool_named, tools
from intarsia.errors import UsageError, suggest
from intarsia.jobs.preannotation import shapes_for, write_predicted
from intarsia.media.png import encode_mask
from intarsia.result import RENDERS, Segmentation
from intarsia.serving.problems import NOT_ACCEPTABLE, PREFIX, Problem

_TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff", ".gz": "application/gzip",
    ".json": "application/json", ".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson",
    ".geojson": "application/geo+json", ".csv": "text/csv; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8", ".xml": "application/xml", ".zip": "application/zip",
    ".laz": "application/vnd.laszip", ".las": "application/vnd.las", ".mp4": "video/mp4", ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}  # fmt: skip
_JPEG_QUALITY = 92
_FAST = 1  # of PNG's compression


@dataclass(frozen=True)
class Wish:
    """How an answer shall be made.

    Attributes:
        name: of the photo, without suffix; answers name it.
        suffix: of the photo.
        photo: the photo's file, as it was sent.
        opacity: of an overlay's colours, 0 to 1.
        keep: names of the classes that stay in a cut-out.
    """

    name: str = "upload"
    suffix: str = ".png"
    photo: bytes = b""
    opacity: float = 0.5
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """An answer's bytes.

    Attributes:
        content: the file.
        media_type: what it is.
        suffix: how a file of it is named.
        losses: what this form cannot express, in lines.
    """

    content: bytes
    media_type: str
    suffix: str
    losses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One form of answer.

    Attributes:
        name: in requests.
        about: what it is, in a line.
        make: from a result and a wish.
        confidence: it needs the winner's probability.
        photo: it needs the photo.
    """

    name: str
    about: str
    make: Callable[[Segmentation, Wish], Made]
    confidence: bool = False
    photo: bool = False


def _labels(result: Segmentation, wish: Wish) -> Made:
    return Made(encode_mask(result.labels, result.space), "image/png", ".png")


def _drawn(kind: str, result: Segmentation, wish: Wish) -> Made:
    render = RENDERS[kind]
    blank = np.zeros((*result.labels.shape, 3), np.uint8) if result.image is None else None
    picture = result.render(kind, opacity=wish.opacity, keep=wish.keep, image=blank)
    return encode_picture(picture, lossless=render.lossless)


def encode_picture(picture: Image.Image, *, lossless: bool) -> Made:
    """Encode RGB or RGBA as PNG, or RGB as JPEG."""
    pixels = np.asarray(picture)
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    suffix, options = (
        (".png", [cv2.IMWRITE_PNG_COMPRESSION, _FAST])
        if lossless
        else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    )
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, order), options)
    return Made(encoded.tobytes(), "image/png" if lossless else "image/jpeg", suffix)


def _confidence(result: Segmentation, wish: Wish) -> Made:
    assert result.confidence is not None
    _, encoded = cv2.imencode(".png", np.rint(255 * result.confidence.astype(np.float32)).astype(np.uint8))
    return Made(encoded.tobytes(), "image/png", ".png")


def _arrays(result: Segmentation, wish: Wish) -> Made:
    assert result.confidence is not None
    file = io.BytesIO()
    np.savez_compressed(file, labels=result.labels, confidence=result.confidence, classes=np.array(result.space.names))
    return Made(file.getvalue(), "application/zip", ".npz")


def _annotations(tool: str, result: Segmentation, wish: Wish) -> Made:
    chosen = tool_named(tool)
    height, width = result.labels.shape
    shapes = shapes_for(chosen, without_unknown(result.labels, result.space), result.space)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        target = Path(folder) / f"{wish.name}{chosen.suffix}"
        place = target.parent if chosen.suffix else target
        photo = place / chosen.photos / f"{wish.name}{wish.suffix}"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(wish.photo)  # where the tool looks for it; some name a photo by its bytes
        document = AnnotatedImage(photo.name, image=photo, width=width, height=height, shapes=shapes)
        lost = write_predicted([document], target, tool, result.space, None)
        photo.unlink()
        content, suffix = pack(place)
    return Made(content, media_type(suffix), suffix, tuple(lost.lines()))


def media_type(suffix: str) -> str:
    """Tell what files with a suffix are."""
    return _TYPES.get(suffix.lower(), "application/octet-stream")


def pack(place: Path) -> tuple[bytes, str]:
    """Read a file, or a folder as a zip archive (a folder of one file as that); returns bytes and suffix."""
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    if len(files) == 1:
        return files[0].read_bytes(), files[0].suffix
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.writestr(zipfile.ZipInfo(path.relative_to(place).as_posix()), path.read_bytes())
    return archive.getvalue(), ".zip"


def media_types() -> frozenset[str]:
    """All that answers can be."""
    return frozenset(_TYPES.values())


@cache
def answers() -> Mapping[str, Answer]:
    """Every form of answer by name."""
    drawn = {
        "overlay": "the classes' colours over the photo", "colors": "the classes' colours alone",
        "outlines": "a line wherever two classes meet", "alpha": "the photo, transparent but for the classes to keep",
    }  # fmt: skip
    found = [
        Answer("png", "index mask: each pixel is its class's number, in a palette of the classes' colours", _labels),
        *(Answer(kind, about, partial(_drawn, kind), photo=kind != "colors") for kind, about in drawn.items()),
        Answer("confidence", "the winner's probability, 0 to 255", _confidence, confidence=True),
        Answer("npz", "NumPy arrays: labels, confidence, classes", _arrays, confidence=True),
        *(
            Answer(tool.name, tool.about, partial(_annotations, tool.name))
            for tool in tools().values()
            if tool.write is not None
        ),
    ]
    return MappingProxyType({answer.name: answer for answer in found})


_ACCEPTED = {
    "*/*": "png", "image/*": "png", "image/png": "png", "image/jpeg": "overlay", "application/json": "coco",
    "application/zip": "npz", "application/geo+json": "geojson", "application/xml": "cvat", "application/*": "coco",
}  # fmt: skip


def choose_answer(form: str | None, accept: str) -> Answer:
    """Find the form of answer that a client wants: the one it named, else by its Accept header.

    Raises:
        UsageError: no form has this name; the message suggests the closest.
        Problem: nothing that it accepts can be made (406).
    """
    known = answers()
    if form is not None:
        if form not in known:
            raise UsageError(f"no form of answer is named {form!r}.{suggest(form, known)}")
        return known[form]
    wanted = [part.partition(";") for part in accept.lower().split(",") if part.strip()]
    ranked = sorted(wanted, key=lambda part: -_quality(part[2]))
    for kind, _, _ in (part for part in ranked if _quality(part[2]) > 0):
        if kind.strip() in _ACCEPTED:
            return known[_ACCEPTED[kind.strip()]]
    if not wanted:
        return known["png"]
    raise Problem(
        NOT_ACCEPTABLE,
        f"nothing of {accept} is an answer; accept one of {', '.join(_ACCEPTED)}, or say format={'|'.join(known)}",
    )


def _quality(parameters: str) -> float:
    """The q of one part of an Accept header (RFC 9110, section 12.4.2)."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
