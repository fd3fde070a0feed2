"""Pascal VOC's XML of boxes, one file an image: as VOC itself, labelImg, Roboflow and LabelMe's converter write it.

The form is RectLabel's (which took it from VOC) with boxes alone; the files are told apart by <source> or <database>,
which RectLabel does not write, and a hyphen in a class name means nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from intarsia.annotations.document import AnnotationSet
from intarsia.annotations.finding import walk
from intarsia.annotations.formats.rectlabel.reading import is_voc, read_files
from intarsia.annotations.formats.rectlabel.writing import DRAWING
from intarsia.annotations.tools import Tool
from intarsia.errors import DataError


def read(path: Path, *, images: Path | None = None, one_based: bool = True) -> AnnotationSet:
    """Open one XML file, or every one below a folder.

    Args:
        path: the file or folder.
        images: the folder with the images; default the file's own, or the one around a folder "Annotations".
        one_based: whether coordinates count from 1, as VOC's do; a box then contains its last pixel.

    Raises:
        DataError: no such XML; or (while iterating) the only file is broken.
    """
    files = [path] if path.is_file() else [file for file in walk(path, (".xml",)) if is_voc(file)]
    if not files:
        raise DataError(f"{path}: no XML of Pascal VOC (its first element is <annotation>) here")
    found = read_files(files, path, images=images, one_based=one_based, split_names=False, missing_masks="error")
    return replace(found, tool="voc")


def sniff(path: Path) -> bool:
    """Recognise such XML: a file, or any file below a folder."""
    return any(is_voc(file) for file in walk(path, (".xml",)))


TOOL = Tool("voc", "Pascal VOC XML of boxes (also labelImg, Roboflow)", sniff, read, None, suffix="", drawing=DRAWING)
