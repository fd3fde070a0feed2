"""The class file that a data set brings along."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from intarsia.classlists import ClassList, read_class_file
from intarsia.datasets.layouts.filenames import SPLITS
from intarsia.errors import DataError
from intarsia.media.header import IMAGE_SUFFIXES

FILE_NAMES = (
    "classes.txt", "labels.txt", "codes.txt", "class_names.txt", "label_names.txt", "label_colors.txt", "labelmap.txt",
    "class_dict.csv", "classes.csv", "_classes.csv", "labels.csv", "classes.tsv", "labels.tsv", "classes.json",
    "labels.json", "class_names.json", "id2label.json", "label2id.json", "class_id_to_name.json", "dataset_meta.json",
)  # fmt: skip

_LOOKED_AT = 1 << 16
_PICTURE = re.compile(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})(?![a-z])", re.IGNORECASE)


def find_class_file(root: Path) -> ClassList | None:
    """The class file in the data set's folder or its folder "train", or in the one above when it is a split itself.

    Raises:
        DataError: the file is there but cannot be understood.
    """
    folders = [root, root.parent if root.name.lower() in SPLITS else root / "train"]
    for folder in folders:
        for name in FILE_NAMES:
            if (folder / name).is_file() and (found := _read(folder / name)):
                return found
    return None


def _read(path: Path) -> ClassList | None:
    """The classes of a file; None where it lists pictures, as some data sets call their tables of labels."""
    lines: list[str] = []
    with suppress(OSError), path.open("rb") as file:  # which reading it explains
        lines = [line for line in file.read(_LOOKED_AT).decode("latin-1").splitlines() if line.strip()]
    if 2 * sum(_PICTURE.search(line) is not None for line in lines) > len(lines):
        return None
    try:
        return read_class_file(path)
    except DataError as error:
        raise DataError(
            f"{error}. If it is no list of the masks' classes, move it away, or name the classes (--classes; recipe: "
            f"data.classes)"
        ) from error
