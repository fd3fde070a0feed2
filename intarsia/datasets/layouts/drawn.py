"""Exports of annotation tools drawn as masks, to be compared with other masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from intarsia.annotations.document import AnnotationSet
from intarsia.annotations.finding import walk
from intarsia.annotations.formats.masks import drawing_of, space_of, write
from intarsia.annotations.reading import load_json
from intarsia.annotations.tools import SUFFIXES, open_annotations, recognise
from intarsia.datasets.layouts.filenames import MASK_SUFFIXES
from intarsia.datasets.layouts.survey import survey
from intarsia.errors import DataError
from intarsia.files import write_json
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

_FEW = 64  # values or colours: more than a mask has classes, fewer than a photo has shades


@dataclass(frozen=True)
class Drawn:
    """An export as a folder of masks, which lasts as long as this.

    Attributes:
        place: the export.
        root: the folder; stored values are indices of `space`.
        space: the background, then the export's classes.
        notes: plain sentences on what was done.
    """

    place: Path
    root: Path
    space: LabelSpace
    notes: tuple[str, ...]
    _folder: TemporaryDirectory[str]

    def told(self, mask: Path) -> Path:
        """A mask's name for people: where it is in the export."""
        return self.place / mask.relative_to(self.root).with_suffix("")


def draw_export(place: Path, truth: Path | None = None) -> Drawn | None:
    """Draw an export, each tool's by its own rules; None where a place is a folder of masks.

    A folder is an export when a tool recognises it, unless its pictures hold few values, as masks do and photos do not.

    Args:
        place: a file or folder.
        truth: what it will be compared with: a COCO file numbers the images that a list of COCO results names.

    Raises:
        DataError: a file that no tool recognises, a damaged one, or an image whose size nothing tells.
    """
    folder = TemporaryDirectory(prefix="intarsia-")
    export = _opened(place, truth, Path(folder.name))
    if export is None:
        return None
    space = space_of(export, export.categories)
    root = Path(folder.name) / "drawn"
    lost = write(export, root, space=space, drawing=drawing_of(export))
    notes = [f"{place.name}: drawn from annotations of {export.tool}; classes {', '.join(space.names)}."]
    notes += [f"{place.name}: {line}." for line in (*export.lost.lines(), *lost.lines()) if "became pixels" not in line]
    return Drawn(place, root / "masks", space, tuple(notes), folder)


def _opened(place: Path, truth: Path | None, folder: Path) -> AnnotationSet | None:
    if place.is_file():
        if place.suffix.lower() in MASK_SUFFIXES:
            return None
        if place.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{place}: is neither a mask nor a folder of masks, nor annotations ({', '.join(SUFFIXES)})"
            )
        results = _results(place)
        return open_annotations(place if results is None else _numbered(place, results, truth, folder))
    tool = recognise(place) if place.is_dir() else None
    if tool is None or tool.name == "masks":
        return None
    picture = next(walk(place, IMAGE_SUFFIXES), None)
    if picture is not None:
        held = survey([picture])
        if len(held.values) + len(held.colors) <= _FEW:
            return None
    return open_annotations(place)


def _results(place: Path) -> list[dict[str, Any]] | None:
    """The entries of a list of COCO results; None for any other file."""
    if place.suffix.lower() != ".json":
        return None
    found = load_json(place, "coco")
    entries = found if isinstance(found, list) and found else None
    if entries is None or not all(
        isinstance(one, dict) and {"image_id", "category_id"} <= one.keys() for one in entries
    ):
        return None
    return entries


def _numbered(place: Path, results: list[dict[str, Any]], truth: Path | None, folder: Path) -> Path:
    """Results as a COCO file of their own, with the truth's images and categories; the surest lie on top."""
    is_json = truth is not None and truth.is_file() and truth.suffix.lower() == ".json"
    known = load_json(truth, "coco") if truth is not None and is_json else None
    if not isinstance(known, dict) or not {"images", "categories"} <= known.keys():
        raise DataError(
            f"{place}: a list of COCO results names images and classes by number only; compare it with the COCO file "
            f"that numbers them (its images and categories)"
        )
    if not all("segmentation" in one for one in results):
        raise DataError(f"{place}: results without a segmentation; boxes alone are no masks")
    if not all(isinstance(one.get("score", 1), int | float) for one in results):
        raise DataError(f"{place}: results whose scores are no numbers")
    ordered = sorted(results, key=lambda one: one.get("score", 1))
    shapes = [{"iscrowd": 0, **one, "id": number} for number, one in enumerate(ordered, start=1)]
    target = folder / place.name
    write_json(target, {"images": known["images"], "categories": known["categories"], "annotations": shapes})
    return target
