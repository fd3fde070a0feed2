"""The plain layout: images/ and masks/ (or the like), or masks beside images."""

from __future__ import annotations

from intarsia.datasets.layouts.candidates import with_roles
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.pairing import Pairs, pair
from intarsia.datasets.layouts.survey import detect
from intarsia.errors import DataError


def _read(content: Content) -> PictureReading:
    found, notes = with_roles(content.base, content.files, content.options.masks)
    return detected(content, pair(content.base, found, notes))


def detected(content: Content, pairs: Pairs) -> PictureReading:
    """Find out from the masks what they mean.

    Raises:
        DataError: they cannot be understood.
    """
    masks = [mask for *_, mask in pairs.matched]
    try:
        space, coding, notes = detect(masks, content.classes, content.options.ignore, tolerant=content.options.tolerant)
    except DataError as error:
        raise DataError(f"{content.root}: {error}") from error
    return PictureReading(space, coding, pairs, tuple(notes))


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
