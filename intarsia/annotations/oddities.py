"""Documents that can be read, but surely mean something else: told as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from intarsia.annotations import outlines
from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document
from intarsia.annotations.geometry import AREAS, Mask
from intarsia.annotations.lost import Lost

SHARES = "shapes between 0 and 1 are taken as pixels; if they are shares of the image, multiply them by its sides"


def lies_within_a_pixel(document: AnnotatedImage) -> bool:
    """Tell whether all outlines of an image lie between 0 and 1, as shares of its sides do."""
    outlined = [
        shape.geometry
        for shape in document.shapes
        if isinstance(shape.geometry, AREAS) and not isinstance(shape.geometry, Mask)
    ]
    boxes = [outlines.bounds(geometry) for geometry in outlined]
    sides = [side for box in boxes for side in box or (-1.0,)]
    return bool(sides) and min(sides) >= 0 and max(sides) <= 1 and any(side % 1 for side in sides)


def with_oddities_told(export: AnnotationSet) -> AnnotationSet:
    """The same export, which counts odd documents as changed."""

    def stream(lost: Lost) -> Iterator[Document]:
        for document in export.stream(lost):
            if any(lies_within_a_pixel(still) for still in document.stills()):
                lost.changed(SHARES, document.name)
            yield document

    return replace(export, stream=stream)
