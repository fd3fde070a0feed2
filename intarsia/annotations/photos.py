"""Photos inside annotation files, and taking photos along when an export is converted."""

from __future__ import annotations

import base64
import binascii
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document
from intarsia.annotations.finding import safe_parts
from intarsia.annotations.lost import Lost
from intarsia.files import atomic_path

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


def embedded(text: Any, where: str, lost: Lost) -> bytes | None:
    """The image in a data address or base64 text; None when there is none, or it is damaged (which is counted)."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = base64.b64decode("".join(text.rpartition("base64,")[2].split()), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found.startswith((_JPEG, _PNG)):
        lost.dropped("an embedded image is neither JPEG nor PNG", where)
        return None
    return found


def with_photos(export: AnnotationSet, folder: Path) -> AnnotationSet:
    """The same export, whose images are copied below a folder (under their own names) as they are read.

    What has no image file is counted; videos are left where they are.
    """

    def stream(lost: Lost) -> Iterator[Document]:
        for document in export.stream(lost):
            yield document.map_stills(lambda still: _moved(still, folder, lost))

    return replace(export, stream=stream)


def _moved(document: AnnotatedImage, folder: Path, lost: Lost) -> AnnotatedImage:
    target = folder.joinpath(*safe_parts(document.name))
    if document.image is not None:
        target = target.with_suffix(document.image.suffix)
        if target != document.image:
            with atomic_path(target) as temporary:
                shutil.copyfile(document.image, temporary)
    elif document.embedded is not None:
        target = target.with_suffix(".png" if document.embedded.startswith(_PNG) else ".jpg")
        with atomic_path(target) as temporary:
            temporary.write_bytes(document.embedded)
    else:
        lost.dropped("an image that is not there", document.name)
        return document
    return replace(document, image=target)
