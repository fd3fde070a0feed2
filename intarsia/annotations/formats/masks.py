"""Folders of mask pictures: class numbers with a palette, or colours with a labelmap.txt (Pascal VOC, CVAT).

Written are masks/NAME.png (palette or 16-bit gray), classes.json and labelmap.txt (`name:r,g,b::`, as CVAT's
"Segmentation mask 1.1" has it), and with `instances` also instances/NAME.png (16-bit gray, 0 for none).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations.document import (
    BACKGROUND_NAMES,
    IGNORE_NAME,
    AnnotatedImage,
    AnnotationSet,
    Category,
    Document,
    Shape,
)
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import ImageFinder, safe_parts, walk
from intarsia.annotations.geometry import Mask, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.raster import class_names, instance_map, rasterize
from intarsia.annotations.reading import usable
from intarsia.annotations.tools import Tool
from intarsia.annotations.writing import account, size_of, still_images
from intarsia.classlists import read_class_file
from intarsia.errors import DataError
from intarsia.files import atomic_path, write_json, write_text
from intarsia.labels import LabelSpace, distinct_colors
from intarsia.media.header import opened
from intarsia.media.images import open_image, read_mask
from intarsia.media.png import MaskWriter

_MASKS = ("masks", "SegmentationClass")
_INSTANCES = ("instances", "SegmentationObject")
_VOID = (255, 65535)
_CLASS_FILES = ("labelmap.txt", "classes.json", "classes.txt")
_LOSSY = (".jpg", ".jpeg", ".webp")


def read(path: Path, *, images: Path | None = None, tolerant: bool = False) -> AnnotationSet:
    """Open a folder of masks with the file that names their classes: classes.json, classes.txt or labelmap.txt.

    Args:
        path: the folder; masks lie in masks/ or SegmentationClass/, or in the folder itself.
        images: folder with the photos; default `path`.
        tolerant: take JPEG masks, whose values are blurred, by the nearest colour, and count the pixels.

    Raises:
        DataError: no masks, no class file, or (while iterating) values that it does not name.
    """
    if not path.is_dir():
        raise DataError(
            f"{path}: not a folder; masks are read as a folder with masks/ and labelmap.txt or classes.json"
        )
    categories = _classes(path)
    if not categories:
        raise DataError(f"{path}: no file names the classes; write one name per line into classes.txt, or labelmap.txt")
    folder = _first(path, _MASKS) or path
    instances = _first(path, _INSTANCES)
    files = [file for file in walk(folder, (".png", *_LOSSY)) if instances is None or instances not in file.parents]
    if not files:
        raise DataError(f"{path}: no masks (.png) in {folder}")
    finder = ImageFinder(images or path, without=[place for place in (folder, instances) if place and place != path])

    def stream(lost: Lost) -> Iterator[Document]:
        return usable(files, partial(_document, folder, instances, categories, finder, tolerant, lost), lost)

    return AnnotationSet("masks", path, images or path, categories, stream)


def sniff(path: Path) -> bool:
    """Recognise a folder by masks and a class file of the kinds that `write` makes."""
    if not path.is_dir():
        return False
    named = (path / "labelmap.txt").is_file() or (path / "classes.json").is_file()
    return named and any(True for _ in walk(_first(path, _MASKS) or path, (".png",)))


def write(
    documents: Iterable[Document],
    path: Path,
    *,
    categories: Sequence[Category] = (),
    drawing: DrawingRules | None = None,
    space: LabelSpace | None = None,
    unlabelled: Literal["auto", "background", "ignore"] = "auto",
    others: Literal["error", "background", "ignore"] = "error",
    instances: bool = False,
) -> Lost:
    """Draw documents into a folder of masks.

    Args:
        documents: what to draw; read twice when neither `categories` nor `space` name the classes.
        path: the folder.
        categories: the classes, with their colours.
        drawing: edge rule and order; None takes those of the tool that the documents come from.
        space: the classes in order; None: the background, then `categories` (or without them the labels that occur).
        unlabelled: what pixels without a shape become, see `rasterize`.
        others: what shapes of classes that `space` lacks become, likewise.
        instances: also number the things.

    Returns:
        What masks cannot express.

    Raises:
        DataError: nothing to write, an image of unknown size, or a shape of a class that `space` lacks.
    """
    lost = Lost()
    if not isinstance(documents, AnnotationSet | Sequence):
        documents = list(documents)  # they are read twice
    space = space or space_of(documents, categories)
    drawing = drawing or drawing_of(documents)
    taken: set[Path] = set()
    for document in still_images(documents, lost):
        stored = [*(["z"] if drawing.order == "z" else []), *(["instance"] if instances else [])]
        account(document, lost, "masks", shape=stored)
        width, height = size_of(document)
        if width is None or height is None:
            raise DataError(f"{document.name}: its size is not known, so no mask can be drawn; put the image beside")
        if not _fits_photo(document):
            lost.changed("drawn at the size that the file says, which its photo has not", document.name)
        name = PurePosixPath(*safe_parts(document.name)).with_suffix(".png")
        target = path / "masks" / name
        if target in taken:
            raise DataError(f"{path}: two images would share the mask {name}; rename one of them")
        taken.add(target)
        labels = rasterize(document, (height, width), space, drawing, unlabelled=unlabelled, others=others, lost=lost)
        with MaskWriter(target, width, height, space) as mask:
            mask.write(labels)
        if instances:
            _write_instances(document, (height, width), drawing, path / "instances" / name)
        drawn = [shape.geometry for shape in document.shapes if drawing.draws(shape.geometry)]
        boxes = sum(isinstance(geometry, Rectangle) for geometry in drawn)
        lost.changed("a shape became pixels", document.name, len(drawn))
        lost.changed("a box was filled, as if the thing filled it", document.name, boxes)
    if not taken:
        raise DataError(f"{path}: there are no annotations to write")
    write_json(path / "classes.json", space.to_json())
    lines = [f"{name}:{','.join(map(str, color))}::" for name, color in zip(space.names, space.palette, strict=True)]
    write_text(path / "labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n")
    return lost


def _fits_photo(document: AnnotatedImage) -> bool:
    """Whether a photo has the size that the file says; of one that cannot be read nothing is known."""
    if document.image is None:
        return True
    try:
        reader = open_image(document.image)
    except DataError:
        return True
    return (document.width or reader.width, document.height or reader.height) == (reader.width, reader.height)


def space_of(documents: Iterable[Document], categories: Sequence[Category] = ()) -> LabelSpace:
    """The label space of an export: the background, the declared classes in order, then labels found besides."""
    labels = [category.name for category in categories]
    if not labels:
        labels = sorted({label for document in documents for label in document.labels()})
    names = class_names(labels)
    colors = {category.name: category.color for category in categories if category.color}
    spare = iter(color for color in distinct_colors(len(names) + len(colors)) if color not in colors.values())
    given = [colors.get(name) or ((0, 0, 0) if name == names[0] else next(spare)) for name in names]
    return LabelSpace(
        names, tuple(given) if len(set(given)) == len(given) else ((0, 0, 0), *distinct_colors(len(names) - 1))
    )


def drawing_of(documents: object) -> DrawingRules:
    """Find out how the tool that some documents come from draws them; the default for documents made in memory."""
    from intarsia.annotations.tools import tool_named

    return tool_named(documents.tool).drawing if isinstance(documents, AnnotationSet) else DrawingRules()


def _write_instances(document: AnnotatedImage, size: tuple[int, int], drawing: DrawingRules, target: Path) -> None:
    drawn = instance_map(document, size, drawing)
    if len(drawn.things) > 65535:
        raise DataError(f"{document.name}: {len(drawn.things)} things are more than a 16-bit PNG can number")
    with atomic_path(target) as temporary:
        Image.fromarray(drawn.ids.astype(np.uint16)).save(temporary, "PNG")


def _first(path: Path, names: Sequence[str]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def _classes(path: Path) -> tuple[Category, ...]:
    """Classes with the value each has in the masks (`id`)."""
    file = next((path / name for name in _CLASS_FILES if (path / name).is_file()), None)
    if file is None:
        return ()
    found = read_class_file(file)
    values = found.values or range(len(found.names))
    colors = found.palette or found.partial or (None,) * len(found.names)
    return tuple(Category(name, color, value) for name, color, value in zip(found.names, colors, values, strict=True))


def _document(
    folder: Path,
    instances: Path | None,
    categories: tuple[Category, ...],
    finder: ImageFinder,
    tolerant: bool,
    lost: Lost,
    file: Path,
) -> AnnotatedImage:
    inner = file.relative_to(folder)
    image = finder.find(inner.with_suffix(".jpg").as_posix(), lost=lost)
    image = None if image == file else image
    labels = _labels(file, categories, tolerant, lost)
    things = None
    if instances is not None and (instances / inner).is_file():
        things = _numbers(read_mask(instances / inner))
        if things.shape != labels.shape:
            raise DataError(f"{instances / inner}: {things.shape[::-1]} pixels, but its mask has {labels.shape[::-1]}")
    return AnnotatedImage(
        name=image.relative_to(finder.root).as_posix() if image else inner.as_posix(),
        source=file,
        image=image,
        width=labels.shape[1],
        height=labels.shape[0],
        shapes=tuple(_shapes(labels, things, categories)),
        tool="masks",
    )


def _labels(file: Path, categories: tuple[Category, ...], tolerant: bool, lost: Lost) -> NDArray[np.int64]:
    """(H, W) indices into `categories`, -1 where nothing is known.

    Raises:
        DataError: a lossy file that is not to be tolerated, or values that no class has.
    """
    lossy = file.suffix.lower() in _LOSSY
    if lossy and not tolerant:
        raise DataError(
            f"{file}: a JPEG mask: compression blurs its values. Export it as PNG, or read it with tolerant=True "
            "(--tolerant), which takes the nearest colour"
        )
    raw = read_mask(file)
    if raw.ndim == 2 and not lossy:
        found = _by_palette(raw, file, categories)
        return _by_value(raw, file, categories) if found is None else found
    colors = raw if raw.ndim == 3 else np.repeat(raw[..., None], 3, axis=2)
    palette = {category.color: index for index, category in enumerate(categories) if category.color}
    if not palette:
        raise DataError(f"{file}: the mask is colour-coded, but no class has a colour; write them into labelmap.txt")
    table = np.array(list(palette), np.int64)
    codes = _numbers(colors)
    values, inverse = np.unique(codes, return_inverse=True)
    seen = np.stack([values & 255, values >> 8 & 255, values >> 16], axis=1)
    distance = np.abs(seen[:, None] - table[None]).sum(axis=2)
    known = distance.min(axis=1) == 0
    if not known.all():
        wrong = int(np.isin(codes, values[~known]).sum())
        if not tolerant:
            raise DataError(
                f"{file}: {wrong} pixels have colours of no class, such as {tuple(seen[~known][0].tolist())}"
            )
        lost.changed("pixels were taken by their nearest colour", file, wrong)
    index = np.array(list(palette.values()), np.int64)[distance.argmin(axis=1)]
    return np.asarray(index[inverse.reshape(codes.shape)])


def _by_palette(raw: NDArray[Any], file: Path, categories: tuple[Category, ...]) -> NDArray[np.int64] | None:
    """Classes by the colours of a palette PNG's own palette; None where it has none, or other colours."""
    with opened(file, str(file)) as image:
        flat = image.getpalette("RGB") if image.mode == "P" else None
    index = {category.color: number for number, category in enumerate(categories) if category.color}
    if not flat or not index:
        return None
    table = np.full(256, -2, np.int64)
    for value in range(min(256, len(flat) // 3)):
        table[value] = index.get((flat[3 * value], flat[3 * value + 1], flat[3 * value + 2]), -2)
    if table[255] in (-2, *table[:255]):  # not a colour of its own: "not labelled", as in VOC's masks
        table[255] = -1
    labels = table[raw]
    return None if labels.min(initial=0) == -2 else np.asarray(labels)


def _by_value(raw: NDArray[Any], file: Path, categories: tuple[Category, ...]) -> NDArray[np.int64]:
    lookup: Mapping[int, int] = {
        category.id: index for index, category in enumerate(categories) if category.id is not None
    }
    values = np.unique(raw).tolist()
    table = np.full(int(raw.max(initial=0)) + 1, -1, np.int64)
    for value in values:
        if value in lookup:
            table[value] = lookup[value]
        elif value not in _VOID:
            raise DataError(f"{file}: the value {value} belongs to no class; {len(categories)} are named")
    return np.asarray(table[raw])


def _numbers(raw: NDArray[Any]) -> NDArray[np.int64]:
    """A number a pixel: the value, or red + 256 green + 65536 blue."""
    wide = raw.astype(np.int64)
    return wide if wide.ndim == 2 else wide @ np.array([1, 256, 65536], np.int64)


def _shapes(
    labels: NDArray[np.int64], things: NDArray[np.int64] | None, categories: tuple[Category, ...]
) -> Iterator[Shape]:
    for index in np.unique(labels).tolist():
        name = categories[index].name if index >= 0 else IGNORE_NAME
        mask = labels == index
        if name.lower() in BACKGROUND_NAMES:
            continue
        if things is None or index < 0:
            yield Shape(name, Mask(mask).cropped())
            continue
        for number in np.unique(things[mask]).tolist():
            yield Shape(name, Mask(mask & (things == number)).cropped(), instance=number or None)


TOOL = Tool(
    "masks",
    "PNG masks with palette, classes.json and labelmap.txt",
    sniff,
    read,
    write,
    suffix="",
    pictures=True,
    exact=True,
)
