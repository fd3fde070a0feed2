"""Names of images that are their own within an export, though several of its files name images alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document
from intarsia.annotations.finding import photo_folder
from intarsia.annotations.lost import Lost

_Key = tuple[Path | None, str]


def with_own_names(export: AnnotationSet) -> AnnotationSet:
    """The same export, in which two images never share a name: train/000.jpg and valid/000.jpg, not twice 000.jpg.

    A name that starts from the folder of its annotation file is given from the export's folder on. Where names are
    still alike, the second one is lengthened by its folder, its subset, or its annotation file.
    """

    def stream(lost: Lost) -> Iterator[Document]:
        taken: dict[str, _Key] = {}
        for document in export.stream(lost):
            yield _own(document, export, taken)

    return replace(export, stream=stream)


def _own(document: Document, export: AnnotationSet, taken: dict[str, _Key]) -> Document:
    key = document.image, document.subset
    document = document.map_stills(lambda still: replace(still, name=_from_root(still, export)))
    names = list(document.picture_names(export.root))
    return document.with_picture_name(next((name for name in names if taken.setdefault(name, key) == key), names[0]))


def _from_root(document: AnnotatedImage, export: AnnotationSet) -> str:
    """The name from the export's folder on, where the annotation file lies further below, with its photos."""
    beside = photo_folder(document.source)
    if not export.source.is_dir() or beside == export.root or not beside.is_relative_to(export.root):
        return document.name
    if document.image is None:
        inner = beside.relative_to(export.root).as_posix()
        return document.name if document.name.startswith(f"{inner}/") else f"{inner}/{document.name}"
    inside = document.image.is_relative_to(beside)
    return next(document.path_below(export.root), document.name) if inside else document.name
