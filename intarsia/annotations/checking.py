"""Problems of single documents, in words: what would spoil a training, or surprises when it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from intarsia.annotations import outlines
from intarsia.annotations.document import AnnotatedImage, Document, Shape
from intarsia.annotations.geometry import AREAS, Polygon, name_of
from intarsia.annotations.oddities import SHARES, lies_within_a_pixel
from intarsia.annotations.raster import check_size
from intarsia.errors import DataError, suggest
from intarsia.media.images import open_image

MISSING = "the image is missing"


def check(documents: Iterable[Document], classes: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Look at every document; yields (image name, problem) as they are found.

    Found are: images that are missing, damaged or of another size than the file says (a picture on its side by EXIF is
    said); two documents of one image; shapes without area, wholly or partly outside, crossing themselves; twins;
    labels beside `classes` (with the closest name) and labels that differ by upper and lower case or spaces only.

    Args:
        documents: an opened export, or any documents. Of videos only the tracks' labels and order are looked at.
        classes: the names that are right; empty accepts all.
    """
    known = set(classes)
    seen: Counter[tuple[str, str, float | None]] = Counter()
    labels: dict[str, str] = {}
    for document in documents:
        key = document.subset, document.name, getattr(document, "time", None)
        seen[key] += 1
        if seen[key] == 2:
            yield (
                document.name,
                "it is annotated more than once in this export; a training takes each as an image of its own",
            )
        for label in sorted(document.labels()):
            if known and label not in known:
                yield document.name, f"unknown class {label!r}.{suggest(label, known)}"
            other = labels.setdefault(label.strip().casefold(), label)
            if other != label:
                yield document.name, f"the class {label!r} is also spelt {other!r}"
        yield from ((document.name, problem) for problem in document.faults())
        for still in document.stills():
            yield from ((document.name, problem) for problem in _image(still))


def _image(document: AnnotatedImage) -> Iterator[str]:
    size = (document.height, document.width)
    if document.image is None:
        if document.embedded is None:
            yield MISSING
    else:
        try:
            reader = open_image(document.image)
            size = reader.height, reader.width
            check_size(document, (reader.height, reader.width))
        except DataError as error:
            yield str(error).removeprefix(f"{document.source}: ")
    if lies_within_a_pixel(document):
        yield SHARES
    twins = Counter(_key(shape) for shape in document.shapes)
    for number, shape in enumerate(document.shapes, start=1):
        where = f"shape {number} ({shape.label}, {name_of(shape.geometry)})"
        yield from (f"{where} {problem}" for problem in _shape(shape, size))
        if twins[_key(shape)] > 1:
            twins[_key(shape)] = 0
            yield f"{where} is there more than once"


def _key(shape: Shape) -> tuple[str, object, int | None]:
    return shape.label, shape.geometry, shape.instance


def _shape(shape: Shape, size: tuple[int | None, int | None]) -> Iterator[str]:
    geometry = shape.geometry
    if not isinstance(geometry, AREAS):
        return
    box = outlines.bounds(geometry)
    crosses = isinstance(geometry, Polygon) and any(
        outlines.crosses_itself(np.asarray(ring)) for ring in geometry.rings
    )
    if box is None or not (crosses or outlines.area(geometry)):
        yield "has no area"
        return
    height, width = size
    if height is not None and width is not None:
        x1, y1, x2, y2 = box
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            yield f"lies outside the image of {width}x{height}"
        elif x1 < -1 or y1 < -1 or x2 > width + 1 or y2 > height + 1:
            yield f"reaches beyond the image of {width}x{height}; what is outside is cut off"
    if crosses:
        yield "crosses itself; inside and outside are taken in turns (even-odd)"
