"""Reading class lists from files and from the command line."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from intarsia.classlists import lines, objects
from intarsia.classlists.contract import ClassList, Entry, class_list
from intarsia.errors import DataError
from intarsia.labels import Color, LabelSpace
from intarsia.texts import decoded

_TABLES = (".csv", ".tsv")
_JSON, _YAML = (".json", ".jsonl", ".ndjson"), (".yaml", ".yml")
_SUFFIXES = (*_TABLES, *_JSON, *_YAML, ".txt")
_ITEM = re.compile(r"\bitem\s*\{([^{}]*)\}")
_LARGEST = 1 << 24


def read_class_file(path: Path) -> ClassList:
    """Read one class file, in the encodings of `intarsia.texts.decoded`.

    Text: a name a line, with its mask value ("3: road", "road 3") or its colour ("64 128 64 road", "road #408040"), or
    both; or a table with a header (id,name; name;r;g;b; ...); or CVAT's labelmap.txt; or the items of TensorFlow's
    label_map.pbtxt. JSON, JSON Lines and YAML: a list of names or of
    objects with name, id and color, {"road": 3}, {"3": "road"}, {"road": [128, 64, 128]}, a label space, or a tool's
    document that holds one of these (COCO, CVAT, Datumaro, Hugging Face, mmsegmentation, nnU-Net, Supervisely).

    Raises:
        DataError: not text, not JSON, no names, or colours for a part of the names only.
    """
    said, guessed = _text(path)
    text, source = re.sub(r"\A\s*\w+\s*=\s*(?=[\[{])", "", said), str(path)  # "CLASSES = [...]" of a program
    told = (f"{source} {guessed}; save it as UTF-8 if names look wrong.",) if guessed else ()
    if text.lstrip()[:1] == "<":
        raise DataError(
            f"{path}: XML or a web page, no list of classes; write classes.txt, one name per line (QGIS: export the "
            f"colour map of the palette to a file)"
        )
    if _ITEM.search(text):
        return class_list(_items(path, text), source, told)
    if path.suffix.lower() in (*_JSON, *_YAML) or text.lstrip()[:1] in ("[", "{"):
        found = objects.entries_in(_document(path, text))
        if not found:
            raise DataError(
                f'{path}: not a list of classes; write ["background", "road"], or {{"background": 0, "road": 1}} '
                f'with mask values, or {{"road": [128, 64, 128]}} with mask colours'
            )
        return class_list(found, source, told)
    entries, notes = lines.entries_in(text, source, table=path.suffix.lower() in _TABLES)
    return class_list(entries, source, (*told, *notes))


def reads_as(text: str, names: Sequence[str]) -> bool:
    """Tell whether a list of classes in text would be read as these names, in order."""
    with suppress(DataError):
        return class_list(lines.entries_in(text, "", table=False)[0], "").names == tuple(names)
    return False


def parse_classes(names: Sequence[str], palette: Sequence[Color] | None = None, source: str = "classes") -> ClassList:
    """Classes that a user wrote himself: names in order, or all of them with their mask values ("0: ground").

    Raises:
        DataError: repeated names or values, or a palette of another length.
    """
    numbered = [name.partition(":") for name in names]
    if numbered and all(value.strip().isdecimal() and name.strip() for value, _, name in numbered):
        entries = [Entry(name.strip(), int(value)) for value, _, name in numbered]
    else:
        entries = [Entry(name.strip()) for name in names]
    found = class_list(entries, source)
    colors = tuple((int(r), int(g), int(b)) for r, g, b in palette or ())
    LabelSpace(found.names, colors)  # raises on a palette of another length
    return ClassList(found.names, colors, found.values, source)


def classes_said(text: str) -> ClassList:
    """Classes as a user says them in one word: the name of their file, or names with commas between.

    Args:
        text: "classes.txt", "road,car", or with the mask values "0:road,7:car".

    Raises:
        DataError: no such file, or as `read_class_file` and `parse_classes`.
    """
    if os.path.isfile(text) or Path(text).suffix.lower() in _SUFFIXES:
        return read_class_file(Path(text))
    return parse_classes(text.split(","), source="--classes")


def _document(path: Path, text: str) -> Any:
    """The value of a JSON or YAML document, of JSON Lines, or of a list copied from a Python program."""
    if path.suffix.lower() in _YAML:
        return _yaml(path, text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        with suppress(ValueError, RecursionError):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(text.strip())
        raise DataError(f"{path}: broken JSON ({error}); correct it, or use classes.txt, one name per line") from error


def _yaml(path: Path, text: str) -> Any:
    """The value of a YAML document without references, with which a small one may stand for a huge one.

    Raises:
        DataError: broken, or with references.
    """
    import yaml

    from intarsia.yamltext import read_yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise DataError(f"{path}: it holds references (&, *), which are not read; write the names out")
        return read_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: broken YAML ({' '.join(str(error).split())}); correct it") from error


def _items(path: Path, text: str) -> list[Entry]:
    """The classes of a label map of TensorFlow's (pbtxt).

    Raises:
        DataError: an item without a name.
    """
    entries = []
    for item in _ITEM.findall(text):
        said = {key: value.strip("\"'") for key, value in re.findall(r"(\w+)\s*:\s*(\"[^\"]*\"|'[^']*'|[\w.-]+)", item)}
        name = said.get("display_name") or said.get("name")
        if not name:
            raise DataError(f"{path}: an item of it has no name; write name: 'road'")
        entries.append(Entry(name, int(said["id"]) if said.get("id", "").isdecimal() else None))
    return entries


def _text(path: Path) -> tuple[str, str]:
    """The text of a file, and what was guessed about its encoding."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes are no list of class names; name another file")
        return decoded(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(
            f"{path}: cannot be read as text ({error}); save it as UTF-8, one class name per line"
        ) from error
