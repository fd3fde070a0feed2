"""Photos that are changed: written as they were read, with all that their files said."""

from __future__ import annotations

from typing import Any

from intarsia.inference.editing import Edited
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.photos import PhotoReader


def write_photo(editor: Any, work: Work) -> Facts:
    """Write a changed photo as its outputs.

    Raises:
        NothingFound: what should be changed is not in it.
        DataError: the photo cannot be read, or a file cannot be written.
    """
    photo: PhotoReader = work.reader
    edited: Edited
    (edited,) = work.parts
    work.tell(0, 1)
    for path in work.paths.values():
        photo.save(path, edited.pixels)
    return Facts((photo.width, photo.height), edited.areas, (*photo.notes, *edited.notes), edited.details)
