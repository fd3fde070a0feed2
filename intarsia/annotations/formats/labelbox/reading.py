"""Opening Labelbox's files: exports v1 and v2, and the NDJSON that it imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from intarsia.annotations.document import AnnotationSet, Document
from intarsia.annotations.finding import ImageFinder, photo_folder, walk
from intarsia.annotations.formats.labelbox import importing, version1, version2
from intarsia.annotations.formats.labelbox.files import kind_of, rows
from intarsia.annotations.formats.labelbox.masks import MaskFolder
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import from_files
from intarsia.errors import DataError

_SUFFIXES = (".json", ".ndjson", ".jsonl")


def sniff(path: Path) -> bool:
    """Recognise Labelbox's files: one, or any below a folder."""
    return any(kind_of(file) for file in walk(path, _SUFFIXES))


def read(
    path: Path,
    *,
    images: Path | None = None,
    masks: Path | None = None,
    missing_masks: str = "error",
    y_from_bottom: bool = False,
) -> AnnotationSet:
    """Open an export v1 (JSON) or v2 (NDJSON), an import file, or every one below a folder. Nothing is downloaded.

    Args:
        path: the file or folder.
        images: the folder with the photos; default the file's own.
        masks: the folder with the downloaded masks; default `images`. A mask is named by its feature's id
            (`featureId`, `feature_id`); the only mask of a photo may be named like the photo; a composite mask by
            the id of the label or data row, or like the photo.
        missing_masks: "error", or "skip" to count objects whose mask file is missing as dropped.
        y_from_bottom: for exports of 2018 whose y counts from the lower edge of the photo.

    Raises:
        DataError: no such file or the only one is broken; while iterating, a mask that is missing.
    """
    kinds = {file: kind_of(file) for file in walk(path, _SUFFIXES)}
    if path.is_file() and not kinds.get(path):
        next(rows(path), None)  # says what is broken, if that is the reason
        raise DataError(
            f"{path}: not a Labelbox file: it has no data rows; export it again as JSON (v1) or NDJSON (v2)"
        )
    files = {file: kind for file, kind in kinds.items() if kind}
    if not files:
        raise DataError(f"{path}: no Labelbox files (JSON or NDJSON) here; export the labels from Labelbox")
    root = images or photo_folder(path)
    folder = MaskFolder(masks or root, missing_masks)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)

        def one(file: Path) -> Iterator[Document]:
            if files[file] == "v1":
                return version1.documents(file, finder, folder, y_from_bottom, lost)
            if files[file] == "v2":
                return version2.documents(file, finder, folder, lost)
            return importing.documents(file, finder, folder, lost)

        return from_files(list(files), one, lost)

    return AnnotationSet("labelbox", path, root, (), stream)
