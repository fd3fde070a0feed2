"""COCO's panoptic files: a JSON that lists segments, and a PNG an image whose colours number them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Category, Document, Shape
from intarsia.annotations.finding import ImageFinder, photo_folder, safe_parts, walk
from intarsia.annotations.formats.coco.index import Index, files_below, image_of, key_of, kind_of, load_all
from intarsia.annotations.formats.coco.writing import DRAWING, Classes, ImageIds, image_entry
from intarsia.annotations.geometry import Mask, name_of
from intarsia.annotations.lost import Lost
from intarsia.annotations.raster import instance_map
from intarsia.annotations.reading import usable
from intarsia.annotations.tools import Tool
from intarsia.annotations.writing import account, size_of, still_images, to_json
from intarsia.errors import DataError
from intarsia.files import atomic_path, write_text
from intarsia.media.images import read_mask


def read(path: Path, *, images: Path | None = None, masks: Path | None = None) -> AnnotationSet:
    """Open one panoptic JSON, or every one below a folder.

    Args:
        path: a JSON file or a folder.
        images: folder with the images; default the folder of the JSON file.
        masks: folder with the PNG files; default the folder with the JSON's name beside it, or any below `path`.

    Raises:
        DataError: no such file, or a broken one.
    """
    files, others = files_below(path, panoptic=True)
    if not files:
        raise DataError(f"{path}: no panoptic COCO files (.json with segments_info) here")
    root = images or photo_folder(path)
    finder = ImageFinder(root)
    places = ImageFinder(masks or root)
    categories, indices = load_all(files, others)

    def stream(lost: Lost) -> Iterator[Document]:
        for index in indices(lost):
            yield from usable(index.images, partial(_document, index, finder, places, lost), lost, "image")

    return AnnotationSet("coco-panoptic", path, root, categories, stream)


def sniff(path: Path) -> bool:
    """Recognise a panoptic file, or a folder by one of its first JSON files."""
    return any(kind_of(file) for file, _ in zip(walk(path, (".json",)), range(20), strict=False))


def _document(
    index: Index, finder: ImageFinder, places: ImageFinder, lost: Lost, entry: dict[str, Any]
) -> AnnotatedImage:
    document = image_of(entry, index, finder, lost)
    shapes: list[Shape] = []
    for annotation in index.annotations.get(key_of(entry["id"]), ()):
        name = str(annotation.get("file_name") or f"{PurePosixPath(document.name).stem}.png")
        file = _segments_file(index, places, name)
        pixels = read_mask(file)
        if pixels.ndim != 3:
            raise DataError(f"{file}: a panoptic PNG is RGB (segment number = R + 256 G + 65536 B), this one is gray")
        ids = pixels.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
        if (document.height or ids.shape[0], document.width or ids.shape[1]) != ids.shape:
            lost.changed("the size that the JSON says is not the PNG's, which is taken", name)
        document = replace(document, width=ids.shape[1], height=ids.shape[0])
        shapes += _segments(ids, annotation.get("segments_info"), index, name, lost)
    return replace(document, shapes=tuple(shapes))


def _segments_file(index: Index, places: ImageFinder, name: str) -> Path:
    """The PNG of an image: in the folder with the JSON's name, beside the JSON, or the only one of its name elsewhere.

    Raises:
        DataError: there is none, or several are as near.
    """
    beside = index.path.parent
    near = (Path(os.path.normpath(folder / name)) for folder in (beside / index.path.stem, beside, places.root))
    found = [file for file in near if file.is_relative_to(places.root) and file.is_file()][:1]
    found = found or [file for file in places.fitting(f"{index.path.stem}/{name}") if file.suffix.lower() == ".png"]
    if not found:
        raise DataError(
            f"{index.path}: the panoptic PNG {name} is missing; put it into {index.path.with_suffix('')}, or name its "
            f"folder (masks=FOLDER)"
        )
    if len(found) > 1:
        shown = " and ".join(str(file.relative_to(places.root)) for file in found[:2])
        raise DataError(f"{index.path}: which panoptic PNG is meant, {shown}? Name the folder (masks=FOLDER)")
    return found[0]


def _segments(ids: NDArray[np.uint32], listed: Any, index: Index, name: str, lost: Lost) -> Iterator[Shape]:
    unnamed = set(np.unique(ids).tolist()) - {0}
    for segment in listed if isinstance(listed, list) else ():
        number = segment.get("id") if isinstance(segment, dict) else None
        category = index.categories.get(key_of(segment.get("category_id"))) if isinstance(segment, dict) else None
        if type(number) is not int or number not in unnamed or category is None:
            lost.dropped("a segment without pixels or category", f"{name}: segment {str(number)[:20]}")
            continue
        unnamed.discard(number)
        yield Shape(category.name, Mask(ids == number).cropped(), crowd=segment.get("iscrowd") in (1, True))
    lost.dropped("pixels of a segment that the JSON does not list", name, len(unnamed))


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write a panoptic JSON, and the PNG files into a folder of its name; of what overlaps only the top is kept.

    Returns:
        What panoptic files cannot express.

    Raises:
        DataError: nothing to write, an image of unknown size, or the place cannot be written.
    """
    lost = Lost()
    classes, ids = Classes(categories), ImageIds()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for document in still_images(documents, lost):
        width, height = size_of(document)
        if width is None or height is None:
            raise DataError(f"{document.name}: its size is not known, so no PNG can be drawn; put the image beside")
        account(document, lost, "coco-panoptic", shape=("instance", "crowd"))
        for shape in document.shapes:
            if not DRAWING.draws(shape.geometry):
                lost.dropped(f"no area to draw: {name_of(shape.geometry)}", document.name)
            elif not isinstance(shape.geometry, Mask):
                lost.changed("a shape became pixels", document.name)
        images.append(image_entry(document, ids))
        name = PurePosixPath(*safe_parts(document.name)).with_suffix(".png")
        segments = _draw(document, (height, width), path.with_suffix("") / name, classes, lost)
        annotations.append({"image_id": images[-1]["id"], "file_name": str(name), "segments_info": segments})
    if not images:
        raise DataError(f"{path}: there are no annotations to write")
    value = {"images": images, "annotations": annotations, "categories": classes.entries(things=True)}
    write_text(path, to_json(value) + "\n")
    return lost


def _draw(
    document: AnnotatedImage, size: tuple[int, int], target: Path, classes: Classes, lost: Lost
) -> list[dict[str, Any]]:
    drawn = instance_map(document, size, DRAWING)
    pixels = np.stack([drawn.ids >> shift & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8)
    with atomic_path(target) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG")
    segments = []
    areas = np.bincount(drawn.ids.ravel(), minlength=len(drawn.things) + 1).tolist()
    for number, thing in enumerate(drawn.things, start=1):
        if not areas[number]:
            lost.dropped("a shape without visible pixels", document.name)
            continue
        rows, columns = np.nonzero(drawn.ids == number)
        x, y = int(columns.min()), int(rows.min())
        box = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
        segment = {"id": number, "category_id": classes.id(thing.label), "area": areas[number], "bbox": box}
        segments.append(segment | {"iscrowd": int(thing.crowd)})
    return segments


TOOL = Tool(
    "coco-panoptic",
    "COCO panoptic: JSON with a PNG an image whose colours number its segments",
    sniff,
    read,
    write,
    suffix=".json",
    drawing=DRAWING,
    pictures=True,
    exact=True,
)
