"""Opening VIA's files: which of them there are, and of which version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from intarsia.annotations.document import AnnotationSet, Category, Document
from intarsia.annotations.finding import ImageFinder, head, photo_folder, walk
from intarsia.annotations.formats.via.version2 import Options, Version2
from intarsia.annotations.formats.via.version3 import Version3
from intarsia.annotations.lost import Lost
from intarsia.errors import DataError


def sniff(path: Path) -> bool:
    """Recognise VIA's files: one, or any below a folder."""
    return any(_version(file) for file in walk(path, (".json", ".csv")))


def read(
    path: Path,
    *,
    images: Path | None = None,
    class_attribute: str | None = None,
    default_class: str = "object",
    closed_polylines: bool = False,
) -> AnnotationSet:
    """Open a file of VIA 1, 2 or 3 (annotations as JSON or CSV, or a project), or every one below a folder.

    Args:
        path: the file or folder. A CSV file beside a JSON file is taken for a copy of it, and not read.
        images: the folder with the images; default the file's own.
        class_attribute: the region attribute that holds the class. Default: one with a usual name ("class", "label",
            "name", "type", ...), else one with choices, else the one that most regions fill in.
        default_class: the class of regions that have none.
        closed_polylines: read polylines of three or more points as polygons, for files that were drawn so.

    Raises:
        DataError: no such file, or the only one is broken.
        UsageError: no region has the attribute `class_attribute`.
    """
    files = {file: _version(file) for file in walk(path, (".json", ".csv"))}
    if path.is_file():
        files[path] = files.get(path) or 2
    found = {file: version for file, version in files.items() if version}
    copies = [
        file
        for file in found
        if file.suffix.lower() == ".csv" and any(o.parent == file.parent and o.suffix.lower() == ".json" for o in found)
    ]
    if not found:
        raise DataError(f"{path}: no VIA files (JSON, CSV or project) here; export the annotations from VIA")
    options = Options(class_attribute, default_class, closed_polylines)
    root = images or photo_folder(path)
    parsed: list[Version2 | Version3] = []
    broken: list[DataError] = []
    for file, version in found.items():
        if file not in copies:
            try:
                parsed.append(Version3(file, options) if version == 3 else Version2(file, options))
            except DataError as error:
                broken.append(error)
    if not parsed:
        raise broken[0]
    categories: dict[str, Category] = {}
    for one in parsed:
        for category in one.categories:
            categories.setdefault(category.name, category)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)
        for error in broken:
            lost.dropped("a file that cannot be used", error)
        for copy in copies:
            lost.dropped("a CSV file beside a JSON file is taken for its copy", copy.name)
        for one in parsed:
            yield from one.documents(finder, lost)

    return AnnotationSet("via", path, root, tuple(categories.values()), stream)


def _version(file: Path) -> int | None:
    """2 for VIA 1 and 2, 3 for VIA 3, None for anything else."""
    start = head(file)
    if file.suffix.lower() == ".csv":
        if b"CSV_HEADER" in start and b"spatial_coordinates" in start:
            return 3
        return 2 if b"region_shape_attributes" in start else None
    if b'"vid_list"' in start and b'"project"' in start:
        return 3
    if b'"_via_img_metadata"' in start or b'"_via_settings"' in start:
        return 2
    entry = b'"filename"' in start and (b'"regions"' in start or b'"base64_img_data"' in start)
    return 2 if entry and (b'"file_attributes"' in start or b'"shape_attributes"' in start) else None
