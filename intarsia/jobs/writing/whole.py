"""Photos that are changed: written as they were read, with all that their files said."""

from __future__ import annotations

from intarsia.inference.editing import Editor
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.photos import PhotoReader


def write_whole(editor: Editor, work: Work) -> Facts:
    """Change an opened photo into its outputs.

    Raises:
        NothingFound: what should be changed is not in it.
        DataError: the photo cannot be read, or a file cannot be written.
    """
    photo: PhotoReader = work.reader
    edited = editor.edit(photo)
    work.tell(0, 1)
    for path in work.paths.values():
        photo.save(path, edited.pixels)
    return Facts((photo.width, photo.height), edited.areas, (*photo.notes, *edited.notes), edited.details)
