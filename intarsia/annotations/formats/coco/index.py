"""What COCO's instance and panoptic files share: images, categories, annotations by image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, Category
from intarsia.annotations.finding import ImageFinder, clean_name, file_name, head, holds, subset_of, walk
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import load_json, side, whole_number
from intarsia.errors import DataError

_IMAGE = ("file_name", "width", "height")
_NAMES = ("file_name", "path", "coco_url", "flickr_url")
_OTHERS = ("captions", "person_keypoints", "stuff", "image_info")


@dataclass(frozen=True)
class Index:
    """One COCO file: its images in order, their annotations by image id (as text), its categories by id (as text)."""

    path: Path
    images: list[dict[str, Any]]
    annotations: dict[str, list[dict[str, Any]]]
    categories: dict[str, Category]
    subset: str
    lost: Lost


def load(path: Path) -> Index:
    """Read one file; entries that belong to no image are counted in its `lost`.

    Raises:
        DataError: broken JSON, or not COCO's.
    """
    lost = Lost()
    value = load_json(path, "the tool that exported it", lost)
    if not _looks_like(value):
        raise DataError(
            f"{path}: not a COCO file: it has no lists of images and annotations; export it again (result files, a "
            "list of detections alone, cannot be read)"
        )
    images = [image for image in value["images"] if isinstance(image, dict) and "id" in image]
    lost.dropped("an image without an id", path.name, len(value["images"]) - len(images))
    known = {key_of(image["id"]) for image in images}
    if len(known) < len(images):
        lost.changed("images with the same id share their annotations", path.name, len(images) - len(known))
    annotations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, entry in enumerate(value.get("annotations") or (), start=1):
        if isinstance(entry, dict) and (key := key_of(entry.get("image_id"))) in known:
            annotations[key].append(entry)
        else:
            lost.dropped("an annotation whose image is not in the file", f"{path.name}: annotation {number}")
    return Index(path, images, annotations, _categories(value.get("categories"), path.name, lost), "", lost)


def load_all(
    files: Sequence[Path], others: Sequence[Path]
) -> tuple[tuple[Category, ...], Callable[[Lost], Iterator[Index]]]:
    """The categories of some files, and a function that yields each file's index; a single file is read only once.

    Files whose names differ in a split's word (instances_train.json and instances_val.json) divide the images; the name
    of one that is alone says nothing. The function counts the files passed over (`others`), and what the files
    themselves lack.
    """
    subsets = {file: subset_of(file.stem, file.parent.name) for file in files}
    divided = len(set(subsets.values())) > 1

    def count(lost: Lost, index: Index) -> None:
        lost.merge(index.lost)
        if index.path == files[0]:
            for other in others:
                lost.dropped("another file about the same images, which can be opened by itself", other.name)

    if len(files) == 1:
        only = load(files[0])

        def once(lost: Lost) -> Iterator[Index]:
            count(lost, only)
            yield only

        return tuple({category.name: category for category in only.categories.values()}.values()), once
    found: dict[str, Category] = {}
    for file in files:
        found |= {category.name: category for category in load(file).categories.values()}

    def each(lost: Lost) -> Iterator[Index]:
        for file in files:
            index = replace(load(file), subset=subsets[file] if divided else "")
            count(lost, index)
            yield index

    return tuple(found.values()), each


def _looks_like(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("images"), list)
        and isinstance(value.get("annotations", []), list | None)
    )


def key_of(value: Any) -> str:
    """An id as text, by which images and categories are matched: 7, 7.0 and "7" are one."""
    number = whole_number(value)
    return str(value if number is None else number)


def _categories(value: Any, file: str, lost: Lost) -> dict[str, Category]:
    found: dict[str, Category] = {}
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and "id" in entry:
            name = str(entry.get("name") or f"category_{entry['id']}")
            earlier = found.get(key_of(entry["id"]))
            if earlier is not None and earlier.name != name:
                lost.dropped("a category whose id a later one has, too", f"{file}: {earlier.name}, as {name}")
            points = entry.get("keypoints")
            found[key_of(entry["id"])] = Category(
                name,
                _color(entry.get("color")),
                whole_number(entry["id"]),
                group=str(entry.get("supercategory") or ""),
                keypoints=tuple(map(str, points)) if isinstance(points, list) else (),
            )
    return found


def _color(value: Any) -> tuple[int, int, int] | None:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(c, int) and 0 <= c <= 255 for c in value):
        return value[0], value[1], value[2]
    return None


def image_of(entry: dict[str, Any], index: Index, finder: ImageFinder, lost: Lost) -> AnnotatedImage:
    """An image's document, without shapes yet.

    Raises:
        DataError: a width or height that is no number of pixels.
    """
    said = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str) and entry[key]), f"{entry['id']}.jpg")
    name = clean_name(file_name(said))
    where = f"{index.path}: image {name}"
    return AnnotatedImage(
        name=name,
        source=index.path,
        image=finder.find(name, beside=index.path.parent, subset=index.subset, lost=lost),
        width=side(entry.get("width"), f"{where}: width"),
        height=side(entry.get("height"), f"{where}: height"),
        subset=index.subset,
        tool="coco",
        extra={key: value for key, value in entry.items() if key not in _IMAGE},
    )


def files_below(path: Path, *, panoptic: bool) -> tuple[list[Path], list[Path]]:
    """The COCO files of one kind among a folder's (or the file itself), and those passed over.

    COCO itself ships captions, keypoints and stuff of the same images beside the instances: these are passed over.
    """
    if path.is_file():
        return [path], []
    files = [file for file in walk(path, (".json",)) if kind_of(file) == panoptic]
    if not any(file.stem.startswith("instances") for file in files):
        return files, []
    others = [file for file in files if file.stem.startswith(_OTHERS)]
    return [file for file in files if file not in others], others


def kind_of(path: Path) -> bool | None:
    """Tell a file as panoptic (True), instances (False), or none of both (None), by the keys that it holds."""
    if path.suffix.lower() != ".json" or not head(path, 256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    if holds(path, b'"caption"') and not holds(path, b'"category_id"'):
        return None  # sentences about images
    return holds(path, b'"segments_info"') if holds(path, b'"images"', b'"annotations"') else None
