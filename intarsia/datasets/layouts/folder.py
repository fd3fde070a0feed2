"""The plain layout: images/ and masks/ (or the like), or masks beside images."""

from __future__ import annotations

from pathlib import Path

from intarsia.annotations.formats.yolo import describe
from intarsia.annotations.incomplete import what_it_is
from intarsia.classlists import ClassList
from intarsia.datasets.layouts.candidates import with_roles
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.pairing import Pairs, pair
from intarsia.datasets.layouts.survey import detect
from intarsia.errors import DataError


def _read(content: Content) -> PictureReading:
    found, notes = with_roles(content.base, content.files, content.options.masks)
    try:
        pairs = pair(content.base, found, notes)
    except DataError as error:
        unknown = [path for path in content.files if path.suffix.lower() == ".json"]
        if not unknown or any(item.role == "mask" for item in found):
            raise
        known_as = what_it_is(unknown[0])
        hint = (
            f"{unknown[0].name} is {known_as}."
            if known_as
            else f"The .json files here ({unknown[0].name}, ...) are no annotations of a known tool."
        )
        raise DataError(f"{error} {hint}") from error
    return detected(content, pairs)


def detected(content: Content, pairs: Pairs, named: ClassList | None = None) -> PictureReading:
    """Find out from the masks what they mean; `named` are classes that the layout's own file names.

    Raises:
        DataError: they cannot be understood.
    """
    masks = [mask for *_, mask in pairs.matched]
    classes = content.classes or named or _in_yaml(content.root)
    try:
        space, coding, notes = detect(masks, classes, content.options.ignore, tolerant=content.options.tolerant)
    except DataError as error:
        raise DataError(f"{content.root}: {error}") from error
    return PictureReading(space, coding, pairs, tuple(notes))


def _in_yaml(root: Path) -> ClassList | None:
    """The classes that Ultralytics' data.yaml numbers."""
    names = describe(root).names
    return ClassList(tuple(names.values()), (), tuple(names), str(root / "data.yaml")) if names else None


LAYOUTS: dict[str, Layout] = {
    "folder": Layout(
        "images/ and masks/ (or the like), or masks beside images",
        lambda content: content.table is None,
        _read,
        files="images/ + masks/ (also labels, annotations, gt, ...), with or without train/val/test; or photo.jpg + "
        "photo_mask.png side by side; class names in classes.txt",
        pairs=True,
    ),
}
