"""nnU-Net's raw data of pictures (imagesTr, labelsTr), and the names in dataset.json, of volumes too."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from intarsia.annotations.reading import load_json, whole_number
from intarsia.classlists import ClassList
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.layouts.folder import detected
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.parts import File
from intarsia.errors import DataError
from intarsia.media.images import IMAGE_SUFFIXES

DESCRIPTION = "dataset.json"
_SPLITS = {"Tr": "train", "Ts": "test"}
_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


def class_names(root: Path) -> ClassList | None:
    """The classes that dataset.json names, by their values; of nnU-Net 1 and 2. None where there is no such file.

    A value of several regions is called after the smallest one; the class "ignore" is not learnt.

    Raises:
        DataError: it is broken.
    """
    path = root / DESCRIPTION
    if not path.is_file():
        return None
    value = load_json(path, "nnU-Net")
    labels = value.get("labels") if isinstance(value, dict) else None
    if not isinstance(labels, dict) or not labels:
        return None
    regions = sorted(_regions(labels), key=lambda entry: -len(entry[1]))
    names = {number: name for name, numbers in regions for number in numbers}
    values = sorted(names)
    chosen = [names[number] for number in values]
    if not values or len(set(chosen)) < len(chosen):
        return None
    return ClassList(tuple(chosen), (), tuple(values), str(path))


def _regions(labels: dict[str, Any]) -> list[tuple[str, list[int]]]:
    """Names with their values: {"liver": 1}, {"1": "liver"} or {"whole": [1, 2]}."""
    found = []
    for key, value in labels.items():
        if isinstance(value, str) and whole_number(key) is not None:
            key, value = value, key
        numbers = [whole_number(one) for one in (value if isinstance(value, list) else [value])]
        found.append((key, [number for number in numbers if number is not None]))
    return found


def _matches(content: Content) -> bool:
    if content.table is not None:
        return False
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in _below(content, "labelsTr"))


def _below(content: Content, folder: str) -> list[Path]:
    place = content.root / folder
    return [path for path in content.below if path.parent == place]


def _read(content: Content) -> PictureReading:
    matched: list[tuple[str | None, str, File, File]] = []
    without: list[Path] = []
    alone: list[Path] = []
    channels: Counter[str] = Counter()
    for part, split in _SPLITS.items():
        images, others = _cases(_below(content, f"images{part}"))
        channels += others
        masks = {path.stem: path for path in _below(content, f"labels{part}") if path.suffix.lower() in IMAGE_SUFFIXES}
        matched += [(split, f"{split}/{case}", image, masks[case]) for case, image in images.items() if case in masks]
        without += [image for case, image in images.items() if case not in masks and masks]
        alone += [mask for case, mask in masks.items() if case not in images]
    if not matched:
        raise DataError(
            f"{content.root}: no image in imagesTr has a mask in labelsTr: they are called CASE_0000.png and CASE.png"
        )
    matched.sort(key=lambda entry: natural(entry[1]))
    if channels:
        raise DataError(_divided(content.root, sorted(channels)))
    pairs = Pairs(tuple(matched), tuple(without), tuple(alone), ())
    return detected(content, pairs, class_names(content.root))


def _divided(root: Path, channels: list[str]) -> str:
    """What to do about cases whose channels lie in files of their own: a model that got one of them would be wrong."""
    files = " ".join(f"imagesTr/CASE_{channel}.png" for channel in ("0000", *channels))
    return (
        f"{root}: each case has {len(channels) + 1} channels, in files of their own (_0000, _"
        f"{', _'.join(channels)}), and a picture is one file; make bands of one TIFF of them, images/CASE.tif beside "
        f"masks/CASE.png (gdal_merge.py -separate -o images/CASE.tif {files}), or move the others away to use the first"
    )


def _cases(files: list[Path]) -> tuple[dict[str, Path], Counter[str]]:
    """The first channel of each case, and how many files of the other channels there are."""
    first: dict[str, Path] = {}
    others: Counter[str] = Counter()
    for path in sorted(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES):
        name = _CHANNEL.match(path.stem)
        case = name["case"] if name else path.stem
        if case in first and name:
            others[name["channel"]] += 1
        first.setdefault(case, path)
    return first, others


LAYOUTS: dict[str, Layout] = {
    "nnunet": Layout(
        "nnU-Net's raw data of pictures: imagesTr, labelsTr, dataset.json",
        _matches,
        _read,
        files="imagesTr/CASE_0000.png, labelsTr/CASE.png, dataset.json",
        listed=True,
    ),
}
