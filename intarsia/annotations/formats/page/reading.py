"""Opening PAGE and ALTO files: one a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document, Shape
from intarsia.annotations.finding import ImageFinder, clean_name, photo_folder, walk
from intarsia.annotations.formats.page.alto import read_alto
from intarsia.annotations.formats.page.content import scaled
from intarsia.annotations.formats.page.pcgts import read_page
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import from_files
from intarsia.annotations.xmlfile import root_name
from intarsia.errors import DataError
from intarsia.media.images import open_image

_READERS = {"PcGts": read_page, "alto": read_alto}


def sniff(path: Path) -> bool:
    """Recognise PAGE or ALTO: a file, or any file below a folder."""
    return any(root_name(file) in _READERS for file in walk(path, (".xml",)))


def read(
    path: Path,
    *,
    images: Path | None = None,
    by_type: bool = False,
) -> AnnotationSet:
    """Open one PAGE or ALTO file, or every one below a folder.

    Both formats give the same names: "TextRegion" (and PAGE's other regions), "TextLine", "Baseline" and "Word", a
    region before its lines and a line before its words. Lines and their baselines share an instance number; the
    transcription is the attribute "text", the kind that an annotator chose ("MainZone", "heading") is "type".

    Args:
        path: the file or folder.
        images: the folder with the images; default `photo_folder`.
        by_type: take the type as the class, where there is one.

    Raises:
        DataError: no such XML; or (while iterating) the only file is broken.
    """
    files = [path] if path.is_file() else [file for file in walk(path, (".xml",)) if root_name(file) in _READERS]
    if not files:
        raise DataError(f"{path}: no PAGE or ALTO XML (its first element is <PcGts> or <alto>) here")
    root = images or photo_folder(path)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)
        return from_files(files, lambda file: [_document(file, finder, by_type, lost)], lost)

    return AnnotationSet("page", path, root, (), stream)


def _document(file: Path, finder: ImageFinder, by_type: bool, lost: Lost) -> AnnotatedImage:
    reader = _READERS.get(root_name(file))
    if reader is None:
        raise DataError(f"{file}: neither PAGE nor ALTO: its first element is not <PcGts> or <alto>")
    page = reader(file, lost)
    name = clean_name(page.name) or f"{file.stem}.jpg"
    image = finder.find(name, beside=file.parent, lost=lost)
    if image is None and file.stem:
        image = finder.find(f"{file.stem}.jpg", beside=file.parent)
    shapes, width, height = page.shapes, page.width, page.height
    if page.unit != "pixel":
        size = open_image(image) if image is not None else None
        if size is None or width is None or height is None:
            raise DataError(
                f"{file}: its unit is {page.unit}, which only the image's own size turns into pixels; put {name} "
                "beside it"
            )
        factors = size.width / width, size.height / height
        shapes = tuple(replace(shape, geometry=scaled(shape.geometry, *factors)) for shape in shapes)
        width, height = size.width, size.height
    return AnnotatedImage(
        name=name,
        source=file,
        image=image,
        width=None if width is None else round(width),
        height=None if height is None else round(height),
        shapes=tuple(_typed(shape) for shape in shapes) if by_type else shapes,
        tool="page",
    )


def _typed(shape: Shape) -> Shape:
    kind = shape.attributes.get("type")
    return replace(shape, label=kind) if isinstance(kind, str) and kind and shape.label != "Baseline" else shape
