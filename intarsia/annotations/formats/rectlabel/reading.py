"""RectLabel's XML (rectlabel.com): one file an image, Pascal VOC's form with more shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from intarsia.annotations.bitmaps import read_bitmap
from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document, Shape
from intarsia.annotations.finding import ImageFinder, clean_name, head, photo_folder, walk
from intarsia.annotations.geometry import (
    Bezier,
    Geometry,
    Keypoint,
    Mask,
    Point,
    Points,
    Polyline,
    Rectangle,
    Skeleton,
)
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import (
    BadShape,
    MissingMask,
    from_files,
    kept,
    number,
    points,
    polygon,
    side,
)
from intarsia.annotations.xmlfile import Element, children, root_name
from intarsia.errors import DataError

_SHAPES = ("pixels", "cubic_bezier", "polygon", "keypoints", "line", "point", "bndbox")
"""An object's shapes; of several the first here is taken, the others are its bounding box."""

_OBJECT = ("name", "pose", "truncated", "occluded", "difficult", *_SHAPES)
_COORDINATE = re.compile(r"([xyv])(\d{0,7})(_c[12])?")
_STATES = {"0": "absent", "1": "occluded", "2": "visible"}


@dataclass(frozen=True)
class _Options:
    one_based: bool
    split_names: bool
    missing_masks: str


def sniff(path: Path) -> bool:
    """Recognise such XML: a file, or any file below a folder."""
    return any(_is_ours(file) for file in walk(path, (".xml",)))


def _is_ours(file: Path) -> bool:
    return _marks(file) is not None and not is_voc(file)


def is_voc(file: Path) -> bool:
    """Tell whether a file is Pascal VOC's XML: it names its source, as RectLabel's does not, or lies in VOC's tree."""
    marks = _marks(file)
    if not marks:
        return False
    in_tree = file.parent.name == "Annotations" and (file.parent.parent / "JPEGImages").is_dir()
    return in_tree or bool(marks & {b"<source", b"<database"})


def _marks(file: Path) -> set[bytes] | None:
    """The elements by which such files are known; None if this is none of them."""
    if root_name(file) != "annotation":
        return None
    found = set(re.findall(rb"<(?:size|filename|object|segmented|source|database|pt)\b", head(file)))
    # <pt> is in the XML of MIT's LabelMe, which begins alike.
    return None if b"<pt" in found or not found - {b"<source", b"<database"} else found


def read(
    path: Path,
    *,
    images: Path | None = None,
    one_based: bool = True,
    split_names: bool = True,
    missing_masks: str = "error",
) -> AnnotationSet:
    """Open one XML file, or every one below a folder (Pascal VOC's are left to `voc`).

    Args:
        path: the file or folder.
        images: the folder with the images; default the file's own, or the one around a folder "annotations".
        one_based: whether coordinates count from 1, as RectLabel's do; a box then contains its last pixel.
        split_names: whether "shoes-boots-left" is the class shoes with the attributes boots and left.
        missing_masks: "error", or "skip" to count objects whose mask file is missing as dropped.

    Raises:
        DataError: no such XML; or (while iterating) the only file is broken, or a mask is missing.
    """
    files = [path] if path.is_file() else [file for file in walk(path, (".xml",)) if _is_ours(file)]
    if not files:
        raise DataError(f"{path}: no RectLabel XML (its first element is <annotation>) here")
    return read_files(
        files, path, images=images, one_based=one_based, split_names=split_names, missing_masks=missing_masks
    )


def read_files(
    files: list[Path], path: Path, *, images: Path | None, one_based: bool, split_names: bool, missing_masks: str
) -> AnnotationSet:
    """Some files below `path` as one export; the options are those of `read`."""
    root = images or photo_folder(path)
    options = _Options(one_based, split_names, missing_masks)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)
        return from_files(files, lambda file: [_document(file, finder, options, lost)], lost)

    return AnnotationSet("rectlabel", path, root, (), stream)


def _document(file: Path, finder: ImageFinder, options: _Options, lost: Lost) -> AnnotatedImage:
    entries: dict[str, Element] = {}
    objects: list[Element] = []
    if root_name(file) not in ("annotation", ""):
        raise DataError(f"{file}: not RectLabel's XML: it begins with <{root_name(file)}>, not <annotation>")
    for child in children(file):
        if child.tag == "object":
            objects.append(child)
        else:
            entries[child.tag] = child
    name = clean_name((entries["filename"].text or "").strip() if "filename" in entries else "") or f"{file.stem}.jpg"
    size = entries.get("size")
    width, height = (_side(size, key, file) for key in ("width", "height"))
    image = finder.find(name, beside=file.parent, lost=lost)
    prefix = PurePosixPath(name).stem
    photo = (height, width) if height and width else None
    shapes = kept(objects, lambda entry: _shape(entry, file, prefix, photo, options, lost), file.name, lost)
    return AnnotatedImage(
        name=name, source=file, image=image, width=width, height=height, shapes=shapes, tool="rectlabel"
    )


def _side(size: Element | None, key: str, file: Path) -> int | None:
    return None if size is None else side(size.findtext(key), f"{file}: the image's {key}")


def _shape(
    entry: Element, file: Path, prefix: str, photo: tuple[int, int] | None, options: _Options, lost: Lost
) -> Shape:
    name = (entry.findtext("name") or "").strip()
    label, *rest = name.split("-") if options.split_names and not name.startswith("-") else [name]
    attributes: dict[str, Any] = {"attributes": rest} if rest else {}
    for flag in ("truncated", "difficult"):
        if _text(entry, flag) == "1":
            attributes[flag] = True
    if _text(entry, "pose") not in ("", "Unspecified"):
        attributes["pose"] = _text(entry, "pose")
    present = [tag for tag in _SHAPES if entry.find(tag) is not None]
    tag = next((tag for tag in present if len(entry.find(tag))), next(iter(present), None))
    unknown = [child.tag for child in entry if child.tag not in _OBJECT]
    if tag is None:
        raise BadShape(f"shape type {str(unknown[0])!r} is unknown" if unknown else "an object has no shape")
    for other in unknown:
        lost.dropped(f"an object's <{other}> is unknown", f"{file.name} ({label})")
    shift = 1 if options.one_based else 0
    element = entry.find(tag)
    pixels = tag == "pixels"
    geometry = _pixels(element, file, prefix, photo, options) if pixels else _geometry(tag, element, shift)
    return Shape(label, geometry, attributes=attributes, occluded=_text(entry, "occluded") == "1")


def _text(entry: Element, tag: str) -> str:
    return (entry.findtext(tag) or "").strip()


def _geometry(tag: str, element: Element, shift: int) -> Geometry:
    if tag == "bndbox":
        x1, y1, x2, y2 = (number(_text(element, key)) for key in ("xmin", "ymin", "xmax", "ymax"))
        # The last pixel belongs to the box, so that its edge is one further; without the shift both cancel out.
        return Rectangle.between((x1 - shift, y1 - shift), (x2, y2))
    found, states = _coordinates(element, shift)
    corners = found[""]
    match tag:
        case "polygon":
            return polygon(corners)
        case "line":
            return Polyline(points(corners, 2, "line"))
        case "point":
            return Points(points(corners, 1, "point"))
        case "keypoints":
            points(corners, 1, "skeleton")
            visible = [states.get(index, "2") for index in range(len(corners))]
            return Skeleton(
                tuple(
                    Keypoint(str(index), x, y, _STATES.get(state, "visible"))  # type: ignore[arg-type]
                    for index, ((x, y), state) in enumerate(zip(corners, visible, strict=True), start=1)
                )
            )
    points(corners, 2, "curve")
    if len(found["_c1"]) != len(corners) or len(found["_c2"]) != len(corners):
        raise BadShape("a curve lacks some of its handles")
    return Bezier(tuple(corners), tuple(found["_c1"]), tuple(found["_c2"]))


def _coordinates(element: Element, shift: int) -> tuple[dict[str, list[Point]], dict[int, str]]:
    """The points x1, y1, ... of an element by kind ("" points, "_c1" and "_c2" handles), and their states v1, ..."""
    values: dict[tuple[str, str, int], str] = {}
    for child in element:
        match = _COORDINATE.fullmatch(child.tag) if isinstance(child.tag, str) else None
        if match:
            values[match[3] or "", match[1], int(match[2] or 1)] = (child.text or "").strip()
    found: dict[str, list[Point]] = {}
    for kind in ("", "_c1", "_c2"):
        numbers = sorted({index for suffix, axis, index in values if suffix == kind and axis != "v"})
        if numbers != list(range(1, len(numbers) + 1)):
            raise BadShape("the points of a shape are not numbered one after the other")
        found[kind] = [
            (number(values.get((kind, "x", index))) - shift, number(values.get((kind, "y", index))) - shift)
            for index in numbers
        ]
    return found, {index - 1: text for (_, axis, index), text in values.items() if axis == "v"}


def _pixels(element: Element, file: Path, prefix: str, photo: tuple[int, int] | None, options: _Options) -> Mask:
    identity = _text(element, "id")
    if not re.fullmatch(r"\w{1,32}", identity):
        raise BadShape("a mask has no number")
    # The image's name comes from the file, but only its last part: nothing outside the folder is opened.
    place = file.parent / f"{prefix}_pixels{identity}.png"
    if "\0" in prefix or not _exists(place):
        if options.missing_masks == "skip":
            raise BadShape("a mask's file is missing")
        raise MissingMask(
            f"{file}: the mask {place.name} is missing; put it beside the XML, where RectLabel saved it "
            "(missing_masks=skip leaves it out)"
        )
    mask, _ = read_bitmap(place, str(place), size=photo)
    if not mask.bitmap.size:
        raise BadShape("a mask is empty")
    return mask


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False
