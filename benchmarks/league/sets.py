"""The league's data sets: fixed parts for training, validation and test, written as plain folders that any tool reads.

    WORK/sets/NAME/data/{train,val}/{images,masks}    what an entrant may look at
    WORK/sets/NAME/test/{images,masks}                what it is scored on
    WORK/sets/NAME/data/classes.txt, NAME/set.json    the classes in order

Pictures are copied as they are, or as PNG where the original's form is not common to all tools. Masks hold 0, 1, 2,
..., and 255 where nothing is known. Parts are cut by what must not leak: liver slices by patient, pages by writer.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Split, open_dataset
from intarsia.recipe import ReadOptions, Recipe
from intarsia.zoo import bundled_recipe

MOST_TESTED = 60
IGNORE = 255
PARTS = ("train", "val", "test")
_PLAIN = (".jpg", ".png")


@dataclass(frozen=True)
class Pair:
    """A picture, its labels, and what it must not be parted from."""

    image: Path
    labels: Callable[[], NDArray[np.uint8]]
    group: str


@dataclass(frozen=True)
class Source:
    """Where a set comes from.

    Attributes:
        classes: names in order.
        pairs: reads the folder; the first list is divided, the second (may be empty) is the test part as it is.
        title: for people.
    """

    title: str
    classes: tuple[str, ...]
    pairs: Callable[[Path], tuple[list[Pair], list[Pair]]]


def _grey(file: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)


def _bright(file: Path) -> NDArray[np.uint8]:
    return (_grey(file) > 127).astype(np.uint8)


def _folders(
    images: str, masks: str, *, group: Callable[[str], str] = str
) -> Callable[[Path], tuple[list[Pair], list[Pair]]]:
    """Pairs of two folders by the names of their files; masks are bright where the second class is."""

    def read(folder: Path) -> tuple[list[Pair], list[Pair]]:
        stored = {file.stem: file for file in (folder / masks).iterdir()}
        pairs = [
            Pair(file, partial(_bright, stored[file.stem]), group(file.stem))
            for file in sorted((folder / images).iterdir(), key=lambda file: _natural(file.stem))
        ]
        return pairs, []

    return read


def _natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _camvid(folder: Path) -> tuple[list[Pair], list[Pair]]:
    def part(name: str) -> list[Pair]:
        return [
            Pair(file, partial(_without_void, folder / f"{name}annot" / f"{file.stem}.png"), file.stem)
            for file in sorted((folder / name).iterdir())
        ]

    return part("train"), part("val")


def _without_void(file: Path) -> NDArray[np.uint8]:
    labels = _grey(file)
    return np.where(labels == len(_STREET), IGNORE, labels).astype(np.uint8)


def _opened(options: Callable[[], ReadOptions], *, only: str = "") -> Callable[[Path], tuple[list[Pair], list[Pair]]]:
    """Pairs as the package reads them; with `only`, this class against all others."""

    def read(folder: Path) -> tuple[list[Pair], list[Pair]]:
        opened = open_dataset(folder, options())

        def labels(split: Split, index: int) -> NDArray[np.uint8]:
            stored = np.asarray(split.read(index)[1], np.uint8)
            return (stored == opened.space.index(only)).astype(np.uint8) if only else stored

        pairs = [
            Pair(Path(str(item.input)), partial(labels, split, index), item.id)
            for split in opened.splits.values()
            for index, item in enumerate(split.items)
        ]
        return sorted(pairs, key=lambda pair: _natural(pair.group)), []

    return read


_STREET = (
    "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist",
)  # fmt: skip
_CLOTHES = (
    "background", "skin", "hair", "hat", "glasses", "upper", "outer", "dress", "lower", "legs", "shoes", "bag",
)  # fmt: skip

SOURCES: dict[str, Source] = {
    "camvid": Source("CamVid streets", _STREET, _camvid),
    "isbi_em": Source("ISBI 2012 membranes", ("membrane", "cell"), _folders("image", "label")),
    "liver_ct_slices": Source(
        "Liver CT slices", ("background", "liver"),
        _folders("images", "masks", group=lambda stem: stem.split("_")[1]),
    ),
    "person_varied": Source("Varied persons", ("background", "person"), _folders("images", "masks")),
    "aerial_roads": Source("Aerial roads", ("background", "road"), _folders("images", "groundtruth")),
    "clothes_ccp": Source(
        "Clothes, 12 classes", _CLOTHES,
        _opened(lambda: ReadOptions(remap=Recipe.load(bundled_recipe("clothes")).data.remap)),
    ),
    "handwriting_wills": Source("Handwriting lines", ("page", "line"), _opened(ReadOptions, only="TextLine")),
}  # fmt: skip


def parts(pairs: Sequence[Pair], test: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Divide by groups in their natural order: of ten, one validates, and two are tested unless there are others."""
    groups = list(dict.fromkeys(pair.group for pair in pairs))
    part_of = {}
    for index, group in enumerate(groups):
        tested = not test and index % 5 == 4
        part_of[group] = "test" if tested else "val" if index % 10 == 2 else "train"
    divided: dict[str, list[Pair]] = {name: [pair for pair in pairs if part_of[pair.group] == name] for name in PARTS}
    divided["test"] += test
    chosen = np.linspace(0, len(divided["test"]) - 1, min(MOST_TESTED, len(divided["test"]))).round().astype(int)
    divided["test"] = [divided["test"][index] for index in chosen]
    return divided


def prepare(name: str, data: Path, work: Path) -> Path:
    """Write one set, unless it is there; returns its folder."""
    final = work / "sets" / name
    if (final / "set.json").exists():
        return final
    source = SOURCES[name]
    shutil.rmtree(final, ignore_errors=True)
    divided = parts(*source.pairs(data / name))
    for part, pairs in divided.items():
        into = final / ("test" if part == "test" else f"data/{part}")
        (into / "images").mkdir(parents=True)
        (into / "masks").mkdir()
        for number, pair in enumerate(pairs):
            stem = f"{part}_{number:04d}"  # file names say nothing about a page or a patient
            _copy(pair.image, into / "images" / stem)
            cv2.imwrite(str(into / "masks" / f"{stem}.png"), pair.labels())
    (final / "data/classes.txt").write_text("".join(f"{label}\n" for label in source.classes))
    facts = {"name": name, "title": source.title, "classes": source.classes, "ignore": IGNORE}
    counts = {part: len(pairs) for part, pairs in divided.items()}
    (final / "set.json").write_text(json.dumps(facts | {"pictures": counts}, indent=1))
    return final


def _copy(image: Path, stem: Path) -> None:
    if image.suffix.lower() in _PLAIN:
        shutil.copyfile(image, f"{stem}{image.suffix.lower()}")
    else:
        cv2.imwrite(f"{stem}.png", cv2.imread(str(image)))
