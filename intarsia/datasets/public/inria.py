"""Inria Aerial Image Labeling: buildings in orthophotos of ten cities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.public.entry import Entry, by_name, find, layout, pairs_of
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, ScoreTable
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix

BUILDINGS = LabelSpace(("background", "building"), ((0, 0, 0), (255, 255, 255)))
CITIES = ("austin", "chicago", "kitsap", "tyrol-w", "vienna")
"""The cities with public labels."""

_PLACES = ("", "AerialImageDataset")
_VALIDATION = 5  # the first tiles of each city


def _by_city(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """Tell IoU of buildings and accuracy, pooled and for each folder, which is a city."""
    index = space.index("building")

    def both(one: ConfusionMatrix) -> tuple[float, float]:
        scores = one.compute()
        return float(scores.iou[index]), float(scores.pixel_accuracy)

    iou, accuracy = both(matrix)
    rows = tuple((folder.rpartition("/")[2] or "(no city)", both(one)) for folder, one in groups.items())
    return Findings({"building IoU": iou, "accuracy": accuracy}, (ScoreTable("cities", ("IoU", "accuracy"), rows),))


PROTOCOL = EvaluationProtocol(
    "inria",
    "IoU of buildings and accuracy, by city and over all",
    "Maggiori et al. 2017",
    lambda: (BUILDINGS,),
    _by_city,
)

ENTRY = Entry(
    name="inria",
    title="Inria Aerial Image Labeling",
    about="orthophotos of ten cities, 5000x5000 pixels of 0.3 m, buildings",
    space=lambda: BUILDINGS,
    splits="train: tiles 6-36 of five cities (155), val: their tiles 1-5 (25), test: five other cities (180, withheld)",
    ignored="nothing",
    size="180 labelled tiles of 5000x5000 pixels, 75 MB each",
    license="for research; registration needed",
    citation="Maggiori et al., Can Semantic Labeling Methods Generalize to Any City?, IGARSS 2017",
    homepage="https://project.inria.fr/aerialimagelabeling/",
    steps=("register at the homepage, fetch and join the parts of the archive, and unpack it", "intarsia train FOLDER"),
    tree="""AerialImageDataset/
  train/images/austin1.tif  (austin, chicago, kitsap, tyrol-w, vienna, 1-36)
  train/gt/austin1.tif  (0 and 255)
  test/images/bellingham1.tif""",
    protocol=PROTOCOL,
)


def _found(content: Content) -> Path | None:
    return find(content, *_PLACES, holding=("train/images", "train/gt"))


def _tile(name: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"([a-z-]+?)(\d+)", name)
    return (match[1], int(match[2])) if match and match[1] in CITIES else None


def _matches(content: Content) -> bool:
    folder = find(content, *_PLACES, holding=("train/images",))
    return folder is not None and any(_tile(path.stem) for path in (folder / "train/images").glob("*.tif"))


def _read(content: Content) -> PictureReading:
    folder = _found(content)
    if folder is None:
        raise ENTRY.missing(content, "it has no train/images with train/gt")
    matched, left = by_name(None, folder / "train/images", folder / "train/gt", lambda photo: photo)
    divided = []
    for _, name, image, mask in matched:
        tile = _tile(name)
        split = "val" if tile and tile[1] <= _VALIDATION else "train"
        # The city as a folder of the id: scores are told by folder.
        divided.append((split, f"{tile[0]}/{name}" if tile else name, image, mask))
    note = "Inria Aerial; val is tiles 1-5 of each city, as its authors propose."
    return PictureReading(BUILDINGS, MaskCoding(values={0: 0, 255: 1}), pairs_of((list(divided), left)), (note,))


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    "inria": layout(ENTRY, "Inria Aerial Image Labeling: train/images, train/gt", _matches, _read),
}
