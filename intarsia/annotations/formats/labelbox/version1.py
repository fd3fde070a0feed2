"""Labelbox's export v1, with its 2018 form, in which classes are the keys of lists of outlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, Document, Shape
from intarsia.annotations.finding import ImageFinder
from intarsia.annotations.formats.labelbox.files import name_of, parsed, rows
from intarsia.annotations.formats.labelbox.masks import MaskFolder, stem
from intarsia.annotations.formats.labelbox.objects import answers, pairs, shape_of
from intarsia.annotations.formats.labelbox.video import video_of
from intarsia.annotations.geometry import Mask, Polygon
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, kept, polygon, whole_number
from intarsia.errors import DataError
from intarsia.media.images import open_image


def documents(
    path: Path, finder: ImageFinder, masks: MaskFolder, y_from_bottom: bool, lost: Lost
) -> Iterator[Document]:
    """Every labelled data row."""
    seen: set[str] = set()
    for row in rows(path):
        name = name_of(row.get("External ID"), row.get("Labeled Data"), row.get("DataRow ID"), row.get("ID"))
        where = f"{path.name}: {name}"
        label = row.get("Label")
        if isinstance(label, str) and label.lstrip().startswith("{"):  # as the table of 2018 had it
            label = parsed(path, label)
        if row.get("Skipped") or isinstance(label, str) or label is None:
            lost.dropped("a data row was skipped or not labelled", where)
            continue
        identity = row.get("DataRow ID")
        if isinstance(identity, str):
            if identity in seen:
                lost.dropped("a data row has several labels (consensus), the first is taken", where)
                continue
            seen.add(identity)
        if isinstance(label, list):
            yield video_of(label, name, path, finder, lost)
        elif isinstance(label, Mapping) and "frames" in label:
            lost.dropped("the frames of a video are behind a link, which is not followed", where)
        elif isinstance(label, Mapping):
            yield _image(row, label, name, path, finder, masks, y_from_bottom, lost)
        else:
            lost.dropped("a data row has no readable label", where)


def _image(
    row: Mapping[str, Any],
    label: Mapping[str, Any],
    name: str,
    path: Path,
    finder: ImageFinder,
    masks: MaskFolder,
    y_from_bottom: bool,
    lost: Lost,
) -> AnnotatedImage:
    where = f"{path.name}: {name}"
    image = finder.find(name, lost=lost)
    media = row.get("Media Attributes")
    media = media if isinstance(media, Mapping) else {}
    width, height = (_side(media.get(key)) for key in ("width", "height"))
    attributes: dict[str, Any] = {}
    if "objects" in label or "classifications" in label:
        attributes = answers(label.get("classifications"))
        objects = label.get("objects")
        objects = objects if isinstance(objects, list) else []
        size = (height, width) if height and width else None
        alone = sum(_is_mask(entry) for entry in objects) == 1
        shared = [stem(name), str(row.get("DataRow ID"))] if alone else []

        def mask(entry: Mapping[str, Any]) -> Mask:
            own = str(entry.get("featureId") or "")
            photo = image if image and image.name.lower() == name.rpartition("/")[2].lower() else None
            return masks.read([own] if own else [], shared, where=f"{path}: {name}", size=size, photo=photo)

        masks.size = None
        shapes = kept(objects, lambda entry: shape_of(entry, mask), where, lost)
        if size is None and masks.size is not None:
            height, width = masks.size  # masks are as large as their photo
        if image in masks.used:  # a mask whose photo is not there, found by the photo's stem
            image = None
    else:
        bottom = _height(image, height, where) if y_from_bottom else None
        found = [(key, entry) for key, value in label.items() for entry in _outlines(value)]
        attributes = {key: value for key, value in label.items() if isinstance(value, str) and "((" not in value}
        shapes = kept(found, lambda pair: _old_shape(pair[0], pair[1], bottom), where, lost)
    return AnnotatedImage(
        name=name,
        source=path,
        image=image,
        width=width,
        height=height,
        shapes=shapes,
        attributes=attributes,
        tool="labelbox",
        extra={
            key: row[source]
            for key, source in (("data_row", "DataRow ID"), ("label", "ID"), ("global_key", "Global Key"))
            if isinstance(row.get(source), str)
        },
    )


def _is_mask(entry: Any) -> bool:
    drawn = ("bbox", "polygon", "line", "point", "data", "geometry")
    return isinstance(entry, Mapping) and "instanceURI" in entry and not any(key in entry for key in drawn)


def _outlines(value: Any) -> list[Any]:
    """The outlines of a class in the form of 2018; a text that holds coordinates is one entry."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, str) and "((" in value else []


def _old_shape(label: str, entry: Any, height: int | None) -> Shape:
    outline = entry.get("geometry") if isinstance(entry, Mapping) else entry
    if isinstance(outline, str):
        raise BadShape("an outline in WKT form is not read; export it as XY")
    found = polygon(pairs(outline))
    if height is not None:
        found = Polygon.of([(x, height - y) for x, y in found.rings[0]])
    return Shape(label, found)


def _height(image: Path | None, height: int | None, where: str) -> int:
    if height is None and image is not None:
        height = open_image(image).height
    if height is None:
        raise DataError(f"{where}: its photo is missing, whose height is needed to read y from the bottom")
    return height


def _side(value: Any) -> int | None:
    found = whole_number(value)
    return found if found and found > 0 else None
