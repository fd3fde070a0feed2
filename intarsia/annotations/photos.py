"""Taking the photos along when an export is converted: copied, or saved from where they are embedded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from intarsia.annotations.document import AnnotatedVideo, AnnotationSet, Document
from intarsia.annotations.finding import safe_parts
from intarsia.annotations.losses import Losses
from intarsia.files import atomic_path


def with_photos(export: AnnotationSet, folder: Path) -> AnnotationSet:
    """The same export, whose images are copied below a folder (under their own names) as they are read.

    What has no image file is counted; videos are left where they are.
    """

    def stream(losses: Losses) -> Iterator[Document]:
        for document in export.stream(losses):
            yield _moved(document, folder, losses)

    return replace(export, stream=stream)


def _moved(document: Document, folder: Path, losses: Losses) -> Document:
    if isinstance(document, AnnotatedVideo):
        return document
    target = folder.joinpath(*safe_parts(document.name))
    if document.image is not None:
        target = target.with_suffix(document.image.suffix)
        if target != document.image:
            with atomic_path(target) as temporary:
                shutil.copyfile(document.image, temporary)
    elif document.embedded is not None:
        target = target.with_suffix(".png" if document.embedded.startswith(b"\x89PNG") else ".jpg")
        with atomic_path(target) as temporary:
            temporary.write_bytes(document.embedded)
    else:
        losses.dropped("an image that is not there", document.name)
        return document
    return replace(document, image=target)
