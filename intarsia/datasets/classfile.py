"""Class names (and colours) that a data set brings along in a small text, CSV or JSON file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from intarsia.datasets.layouts.pairing import SPLITS
from intarsia.errors import DataError
from intarsia.labels import Color, LabelSpace

FILE_NAMES = (
    "classes.txt", "labels.txt", "codes.txt", "class_names.txt", "label_names.txt", "label_colors.txt", "labelmap.txt",
    "class_dict.csv", "classes.csv", "_classes.csv", "classes.json", "id2label.json", "class_id_to_name.json",
    "dataset_meta.json",
)  # fmt: skip

_NUMBERS = r"(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})"
_COLOR_FIRST = re.compile(rf"^\(?{_NUMBERS}\)?[\s,;:]+(?P<name>\S.*)$")
_COLOR_LAST = re.compile(rf"^(?P<name>.*?\S)[\s,;:]+\(?{_NUMBERS}\)?$")
_NUMBERED = re.compile(r"^(?P<value>\d+)\s*[:,;\t]\s*(?P<name>\S.*)$")


@dataclass(frozen=True)
class ClassList:
    """Classes as the user named them.

    Args:
        names: in order.
        palette: one colour each, or `()`.
        values: the mask value of each class, or `()` when only the order is known.
        source: where they come from, for messages.
    """

    names: tuple[str, ...]
    palette: tuple[Color, ...] = ()
    values: tuple[int, ...] = ()
    source: str = "classes"


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


def read_class_file(path: Path) -> ClassList:
    """Read one class file: a name per line, optionally with a colour ("64 128 64 Animal") or value ("3: road").

    JSON: a list of names, {"road": 3} or {"3": "road"} or {"road": [128, 64, 128]}, or a label space.

    Raises:
        DataError: not text, not JSON, no names, or colours for a part of the names only.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read as text ({error}); save it as UTF-8, one class name per line"
        ) from error
    if path.suffix.lower() == ".json":
        return _from_json(path, text)
    lines = [line.strip().rstrip(":") for line in text.splitlines()]  # CVAT's labelmap.txt: road:128,64,128::
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and re.fullmatch(r"name[\s,;]+r[\s,;]+g[\s,;]+b|pixel value[\s,;]+class", lines[0].lower()):
        lines = lines[1:]
    if lines and lines[0] == "__ignore__":
        lines = lines[1:]  # LabelMe's convention: this line stands for -1, the next one for value 0
    if not lines:
        raise DataError(f"{path}: it names no class; write one class name per line")
    matches = [_COLOR_FIRST.match(line) or _COLOR_LAST.match(line) for line in lines]
    colored = [match for match in matches if match]
    if len(colored) == len(lines):
        palette = tuple((int(m[_first(m)]), int(m[_first(m) + 1]), int(m[_first(m) + 2])) for m in colored)
        return _checked(path, ClassList(tuple(m["name"].strip() for m in colored), palette, (), str(path)))
    if len(colored) > len(lines) // 2:
        missing = next(line for line, match in zip(lines, matches, strict=True) if not match)
        raise DataError(f"{path}: the line {missing!r} has no colour, while others do; write: R G B name")
    numbered = [_NUMBERED.match(line) for line in lines]
    if all(numbered):
        pairs = [(int(m["value"]), m["name"].strip()) for m in numbered if m]
        return _checked(path, ClassList(tuple(n for _, n in pairs), (), tuple(v for v, _ in pairs), str(path)))
    return _checked(path, ClassList(tuple(lines), (), (), str(path)))


def _first(match: re.Match[str]) -> int:
    return 1 if match.re is _COLOR_FIRST else 2


def _from_json(path: Path, text: str) -> ClassList:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: broken JSON ({error}); correct it, or use classes.txt, one name per line") from error
    source = str(path)
    if isinstance(value, dict) and isinstance(value.get("label_map"), dict):  # Datumaro's dataset_meta.json
        value = {"names": list(value["label_map"].values()), "palette": value.get("segmentation_colors", ())}
    try:
        if isinstance(value, dict) and isinstance(value.get("names"), list):
            palette = tuple((int(r), int(g), int(b)) for r, g, b in value.get("palette", ()))
            return _checked(path, ClassList(tuple(map(str, value["names"])), palette, (), source))
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return _checked(path, ClassList(tuple(value), (), (), source))
        if isinstance(value, dict) and all(isinstance(entry, list) for entry in value.values()):
            palette = tuple((int(r), int(g), int(b)) for r, g, b in value.values())
            return _checked(path, ClassList(tuple(value), palette, (), source))
        if isinstance(value, dict) and all(isinstance(entry, int) for entry in value.values()):
            return _checked(path, ClassList(tuple(value), (), tuple(value.values()), source))
        if isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values()):
            return _checked(path, ClassList(tuple(value.values()), (), tuple(map(int, value)), source))
    except (TypeError, ValueError):
        pass
    raise DataError(
        f'{path}: not a list of classes; write ["background", "road"], or {{"background": 0, "road": 1}} '
        f'with mask values, or {{"road": [128, 64, 128]}} with mask colours'
    )


def _checked(path: Path, classes: ClassList) -> ClassList:
    if classes.values and (len(set(classes.values)) < len(classes.values) or min(classes.values) < 0):
        raise DataError(f"{path}: two classes have the same value, or a value is negative; give each its own")
    try:
        LabelSpace(classes.names, classes.palette)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return classes
