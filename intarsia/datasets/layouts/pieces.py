"""Several binary masks an image: one for each object, or one for each class."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations.document import BACKGROUND_NAMES
from intarsia.annotations.raster import background_label
from intarsia.datasets.coding import MaskCoding, gray_plane, number_list, percent
from intarsia.datasets.layouts.candidates import by_folder, look_like_masks
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import Found, by_file_name, classify, natural, stem_key
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.meaning import without_ignored
from intarsia.datasets.parts import File, read_stored
from intarsia.errors import DataError, counted, suggest
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

_MARKS = "_-. "
_MASK_WORDS = re.compile(r"^(?:|mask|masks|label|labels|gt|seg|segmentation|object|obj|instance|inst|cell|nucleus)$")
_CLASS_WORDS = re.compile(r"^(?:.*[_\-. ])?(?:class|cls|category|layer)[_\-. ]?$")
_NUMBERING = re.compile(r"^\d+[.)_\-\s]+(?=\D)")  # "1. Microaneurysms"
_SAMPLE = 8
_SAME_THING = 0.5  # intersection over union above which two masks are two drawings of one thing
_BRIGHT = 127
_PURE = 0.9

Group = tuple[Found, list[tuple[str, Path]]]
"""An image and its masks, each with what it is called: a class's name, or "" for an object's."""


@dataclass(frozen=True)
class Pieces:
    """The binary masks of one image as one mask, whose values are theirs; the smaller lies on top.

    Attributes:
        files: each mask, and the value of its pixels.
    """

    files: tuple[tuple[Path, int], ...]

    @property
    def path(self) -> Path:
        """The first of them."""
        return self.files[0][0]

    def __str__(self) -> str:
        return f"{self.path} and {len(self.files) - 1} more" if len(self.files) > 1 else str(self.path)

    def load(self) -> Image.Image:
        """The masks together, as a grey picture.

        Raises:
            DataError: a file is damaged, holds more than two values, or the sizes differ.
        """
        return Image.fromarray(self.drawn()[0])

    def drawn(self) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
        """The values, and how many pixels belong to masks of several values."""
        masks = sorted(((binary(path), value) for path, value in self.files), key=lambda entry: -int(entry[0].sum()))
        first = masks[0][0]
        values = np.zeros(first.shape, np.uint16 if max(value for _, value in masks) > 255 else np.uint8)
        twice = np.zeros(first.shape, np.bool_)
        for mask, value in masks:
            if mask.shape != first.shape:
                raise DataError(f"{self}: the masks of one image have different sizes; export them again")
            twice |= mask & (values != 0) & (values != value)
            values[mask] = value
        return values, int(np.count_nonzero(twice))


def binary(path: Path) -> NDArray[np.bool_]:
    """The pixels of a mask of one thing: all that are not 0, or the bright ones where its edges are soft.

    Raises:
        DataError: damaged, or it holds several values, so that it is no mask of one thing.
    """
    raw = read_stored(path)
    plane = gray_plane(raw)
    found = raw.max(axis=2) if plane is None else plane
    values = np.unique(found).tolist()
    if len(values) <= 2 and (0 in values or len(values) == 1):
        return np.asarray(found > 0)
    if values[-1] > _BRIGHT:
        return np.asarray(found > _BRIGHT)
    raise DataError(f"{path}: holds the values {number_list(values)}, and a mask of one object or class has two")


def _matches(content: Content) -> bool:
    if content.table is not None or not content.has_pictures:
        return False
    groups = grouped(content)
    if not groups or not all(_is_binary(path) for _, masks in groups[:_SAMPLE] for _, path in masks[:_SAMPLE]):
        return False
    names = sorted({name for _, masks in groups for name, _ in masks if name}, key=natural)
    if len(names) > 1 and _drawn_twice(groups):
        raise DataError(
            f"{content.root}: {' and '.join(names[:3])} hold masks of the same things, as if several people had drawn "
            f"them: whose count (--masks {names[0]}; recipe: data.masks), or are they classes (--layout pieces)?"
        )
    return True


def _read(content: Content) -> PictureReading:
    groups = grouped(content) or _by_candidate(_pictures(content))
    if not groups:
        raise DataError(
            f"{content.root}: no image here has masks of its objects or classes: put them into masks/CLASS/NAME.png, "
            f"masks/NAME_CLASS.png, or CASE/images/ and CASE/masks/"
        )
    names = sorted({name for _, masks in groups for name, _ in masks if name}, key=natural)
    space, values, notes = _classes(content, names) if names else _objects(content)
    matched: list[tuple[str | None, str, File, File]] = []
    for image, masks in groups:
        pieces = Pieces(tuple((path, values[name]) for name, path in masks))
        matched.append((image.split, image.id, image.path, pieces))
    matched.sort(key=lambda entry: natural(entry[1]))
    used = {image.path for image, _ in groups} | {path for _, masks in groups for _, path in masks}
    left = [item for item in _pictures(content) if item.path not in used]
    without = tuple(item.path for item in left if item.role != "mask")
    alone = tuple(item.path for item in left if item.role == "mask")
    coding = MaskCoding(values=_table(space, values))
    said = (*notes, *_lacking(groups, names), *_overlap(content, matched))
    return PictureReading(space, coding, Pairs(tuple(matched), without, alone, ()), said)


def grouped(content: Content) -> list[Group]:
    """The images that have several masks, or masks in folders of classes; nothing where each has one mask."""
    found = _pictures(content)
    masks = [item for item in found if item.role == "mask"]
    images = [item for item in found if item.role == "image"]
    if masks and not images:
        images = [item for item in found if item.role is None]
    if not masks:
        return _numbered(_by_ending([item for item in by_file_name(found) if item.role == "image"], found), content)
    cases = _by_case(images, masks)
    folders = [] if cases else _by_class_folder(images, masks)
    return folders or _numbered(cases or _by_ending(images, masks), content)


def _numbered(groups: list[Group], content: Content) -> list[Group]:
    """Groups whose masks' names differ by a number only (o0.png, o1.png) show things, unless the classes are these."""
    names = {name.casefold() for _, masks in groups for name, _ in masks}
    bare = {re.sub(r"\d+", "", name) for name in names}
    told = content.classes is not None and names <= {name.casefold() for name in content.classes.names}
    if len(names) < 2 or len(bare) > 1 or _CLASS_WORDS.match(min(bare)) or told:
        return groups
    return [(image, [("", path) for _, path in masks]) for image, masks in groups]


def _by_candidate(found: Sequence[Found]) -> list[Group]:
    """Folders beside the images' that are called after classes: tiles/a.png, roads/a.png, buildings/a.png."""
    images = {item.path: item for item in found}
    pieces: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    for one in by_folder(found):
        for path, mask in one.masks.items():
            pieces[path].append((one.name, mask.path))
    return [(images[path], masks) for path, masks in pieces.items()]


def _pictures(content: Content) -> list[Found]:
    return [classify(path, content.root) for path in content.below if path.suffix.lower() in IMAGE_SUFFIXES]


def _by_case(images: Sequence[Found], masks: Sequence[Found]) -> list[Group]:
    """A folder for each image, with its masks in a folder beside: CASE/images/a.png, CASE/masks/*.png."""
    ours: dict[object, list[Found]] = defaultdict(list)
    theirs: dict[object, list[Found]] = defaultdict(list)
    for item in images:
        ours[item.split, item.folders].append(item)
    for item in masks:
        theirs[item.split, item.folders].append(item)
    cases = [(members[0], theirs[key]) for key, members in ours.items() if theirs.get(key)]
    if any(len(ours[image.split, image.folders]) > 1 or not image.folders for image, _ in cases):
        return []
    if not any(len(members) > 1 for _, members in cases):
        return []
    times = Counter(stem_key(item) for _, members in cases for item in members)
    named = len(cases) > 1 and not any(name.isdigit() for name in times) and 2 * len(times) <= times.total()
    return [
        (image, [(_class_name(item.stem, image.stem) if named else "", item.path) for item in members])
        for image, members in cases
    ]


def _by_class_folder(images: Sequence[Found], masks: Sequence[Found]) -> list[Group]:
    """A folder for each class: images/a.png, masks/car/a.png, masks/road/a.png."""
    known = {(item.folders, stem_key(item)): item for item in images}
    names = {name for item in images for name in item.folders}
    found: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    for item in masks:
        for place in {0, len(item.folders) - 1} if item.folders else ():
            rest, name = (*item.folders[:place], *item.folders[place + 1 :]), item.folders[place]
            image = known.get((rest, stem_key(item)))
            image = image or _beginning(
                item.stem, {stem: one for (folders, stem), one in known.items() if folders == rest}
            )
            if image is not None and name not in names and image.split in (None, item.split):
                found[image.path].append((_NUMBERING.sub("", name), item.path))
                break
    classes = {name for pieces in found.values() for name, _ in pieces}
    by_path = {item.path: item for item in images}
    return [(by_path[path], pieces) for path, pieces in found.items()] if len(classes) > 1 else []


def _by_ending(images: Sequence[Found], masks: Sequence[Found]) -> list[Group]:
    """Names that begin as the image's: a.jpg, and a_car.png and a_road.png, or a_mask.png and a_mask_1.png."""
    by_place: dict[object, dict[str, Found]] = defaultdict(dict)
    for item in images:
        by_place[item.split, item.folders][item.stem.casefold()] = item
    found: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    owner = {}
    for item in masks:
        image = _beginning(item.stem, by_place.get((item.split, item.folders), {}))
        if image is not None and image.path != item.path:
            found[image.path].append((_class_name(item.stem, image.stem), item.path))
            owner[image.path] = image
    endings = {name for pieces in found.values() for name, _ in pieces}
    if not any(len(pieces) > 1 for pieces in found.values()) or ("" in endings and len(endings) > 1):
        return []
    if not look_like_masks([path for pieces in found.values() for _, path in pieces]):
        return []  # frames of a video
    return [(owner[path], pieces) for path, pieces in found.items()]


def _beginning(stem: str, images: dict[str, Found]) -> Found | None:
    """The image whose name is the beginning of a mask's, up to a mark; the longest."""
    low = stem.casefold()
    places = [place for place, mark in enumerate(low) if mark in _MARKS]
    return next((images[low[:place]] for place in reversed(places) if low[:place] in images), None)


def _class_name(stem: str, image: str) -> str:
    """What a mask's name says beside its image's: a class; "" for words and numbers that only say "a mask"."""
    own = stem[len(image) :] if stem.casefold().startswith(image.casefold()) else stem
    words = [word for word in re.split(r"[_\-. ]+", own) if word]
    kept = [word for word in words if not _MASK_WORDS.match(word.lower().rstrip("0123456789"))]
    if _CLASS_WORDS.match("_".join(kept).lower()):  # class_1: its number is its name
        kept += [word for word in words if word.isdecimal()]
    return "_".join(kept)


def _is_binary(path: Path) -> bool:
    """Whether a picture has two values, or nearly so: black, white, and shades at the edges."""
    try:
        plane = gray_plane(read_stored(path))
    except DataError:
        return False
    if plane is None:
        return False
    counts = np.unique(plane, return_counts=True)[1]
    return len(counts) <= 2 or float(np.isin(plane, (0, 255)).mean()) >= _PURE


def _drawn_twice(groups: Iterable[Group]) -> bool:
    """Whether masks of different names show the same things."""
    shares = []
    for _, masks in list(groups)[:_SAMPLE]:
        try:
            bitmaps = [binary(path) for _, path in masks]
        except DataError:
            return False  # reading says why
        for a, b in combinations(bitmaps, 2):
            both = int((a & b).sum()) if a.shape == b.shape else 0
            shares.append(both / max(int(a.sum() + b.sum()) - both, 1))
    return bool(shares) and float(np.median(shares)) > _SAME_THING


def _objects(content: Content) -> tuple[LabelSpace, dict[str, int], list[str]]:
    """The classes of masks of single objects: background and foreground, or as the user names them."""
    space = without_ignored(content.classes) if content.classes else LabelSpace(("background", "foreground"))
    if len(space) != 2:
        raise DataError(
            f"{content.root}: the masks show objects one by one, so there are two classes, background and theirs, but "
            f"{len(space)} are named"
        )
    note = (
        f"Each image has a mask for each object; together they are {space.names[1]}, the rest {space.names[0]} (if the "
        f"masks' names, such as o1 and o2, are classes, name them: classes)."
    )
    return space, {"": 1}, [note]


def _classes(content: Content, found: Sequence[str]) -> tuple[LabelSpace, dict[str, int], list[str]]:
    """The classes of masks that are named after them, and the value of each name."""
    if content.classes is None:
        own = [name for name in found if name.lower() not in BACKGROUND_NAMES]
        space = LabelSpace(("background", *own))
    else:
        space = without_ignored(content.classes)
    known = {name.casefold(): index for index, name in enumerate(space.names)}
    known |= {name: background_label(space) for name in BACKGROUND_NAMES if name not in known}
    lacking = [name for name in found if name.casefold() not in known]
    if lacking:
        raise DataError(
            f"{content.root}: no class is named {lacking[0]!r}, after which masks are called."
            f"{suggest(lacking[0], space.names)}"
        )
    values = {name: known[name.casefold()] + 1 for name in found}
    rest = background_label(space)
    what = "ignored" if rest == space.ignore_index else space.names[rest]
    note = f"Each image has a mask for each class ({', '.join(found)}); pixels of none of them are {what}."
    return space, values, [note]


def _table(space: LabelSpace, values: dict[str, int]) -> dict[int, int]:
    """From the values of pieces to labels: of classes one more than the label, 0 where there is no mask."""
    if values == {"": 1}:
        return {0: 0, 1: 1}
    return {0: background_label(space)} | {value: min(value - 1, space.ignore_index) for value in values.values()}


def _lacking(groups: Sequence[Group], names: Sequence[str]) -> Iterator[str]:
    """Which classes have no mask of some images: they are not in them, or a file was lost."""
    for name in names if len(names) > 1 else ():
        without = [image.id for image, masks in groups if name not in {called for called, _ in masks}]
        if without:
            yield f"{counted(len(without), 'image')} without a mask of {name}, as if it were not in them: {without[0]}."


def _overlap(content: Content, matched: Sequence[tuple[str | None, str, File, File]]) -> Iterator[str]:
    """What the first items show where masks of several classes overlap."""
    twice = total = 0
    for *_, pieces in matched[:_SAMPLE]:
        if isinstance(pieces, Pieces):
            try:
                values, shared = pieces.drawn()
            except DataError:
                continue  # the check tells it
            twice, total = twice + shared, total + values.size
    if twice:
        yield f"Masks of several classes overlap ({percent(twice, total)} of pixels): the smaller one counts there."


LAYOUTS: dict[str, Layout] = {
    "pieces": Layout(
        "several binary masks an image: one for each object, or one for each class",
        _matches,
        _read,
        files="CASE/images/ + CASE/masks/*.png; or images/ + masks/CLASS/NAME.png, NAME_CLASS.png or NAME_mask_1.png",
        listed=True,
    ),
}
