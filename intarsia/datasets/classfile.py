"""The class file that a data set brings along."""

from __future__ import annotations

from pathlib import Path

from intarsia.classlists import ClassList, read_class_file
from intarsia.datasets.layouts.filenames import SPLITS

FILE_NAMES = (
    "classes.txt", "labels.txt", "codes.txt", "class_names.txt", "label_names.txt", "label_colors.txt", "labelmap.txt",
    "class_dict.csv", "classes.csv", "_classes.csv", "labels.csv", "classes.tsv", "labels.tsv", "classes.json",
    "labels.json", "class_names.json", "id2label.json", "label2id.json", "class_id_to_name.json", "dataset_meta.json",
)  # fmt: skip


def find_class_file(root: Path) -> ClassList | None:
    """The class file in the data set's folder or its folder "train", or in the one above when it is a split itself.

    Raises:
        DataError: the file is there but cannot be understood.
    """
    folders = [root, root.parent if root.name.lower() in SPLITS else root / "train"]
    for folder in folders:
        for name in FILE_NAMES:
            if (folder / name).is_file():
                return read_class_file(folder / name)
    return None
