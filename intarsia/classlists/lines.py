"""Class lists as text: a name a line, with numbers and colours before or behind it, or columns under a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

from intarsia.classlists.contract import Entry, color_in
from intarsia.errors import DataError
from intarsia.labels import Color

_NAMES = (
    "name", "names", "class_name", "classname", "label_name", "labelname", "category_name", "display_name", "title",
    "label", "labels", "class", "classes", "category", "categories",
)  # fmt: skip
_VALUES = (
    "id", "idx", "index", "value", "pixel_value", "pixelvalue", "pixel", "mask_value", "class_id", "classid",
    "label_id", "labelid", "category_id", "number", "no", "num", "code", "key", "gray", "grey", "gray_value",
    "grey_value",
)  # fmt: skip
_CHANNELS = (("r", "red"), ("g", "green"), ("b", "blue"))
_COLORS = ("color", "colour", "rgb", "hex", "color_rgb", "color_code", "hex_code", "colors", "colours")
_DOUBTFUL = "label"
"""A header above a column of names, or what sticks on a bottle; of a file that is no table, the latter is taken."""

_HEADER = frozenset((*_NAMES, *_VALUES, *_COLORS, "r", "g", "b", "red", "green", "blue", "a", "alpha"))
_GAP = r"(?:\s*[-=]+>\s*|\s+[-–]\s+|[\s,;:|=]+)"
_TOKENS = {"value": r"(-?\d+)", "r": r"(\d{1,3})", "#": r"((?:#|0x)[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?)", "-": r"(\d+)"}
_TOKENS["h"] = r"(#[0-9a-fA-F]{3})"  # behind a name only: before it, what follows is a comment
_UNSEEN = re.compile("[\u200b\u200e\u200f\u2060\ufeff]")
_FORMS = (
    ("value r g b - - -", ""),  # ITK-SNAP's label descriptions: opacity and two switches
    ("value", "r g b -"),  # 3D Slicer's and FreeSurfer's colour tables
    ("value", "r g b"),
    ("value r g b -", ""),
    ("value r g b", ""),
    ("r g b -", ""),
    ("", "value r g b"),
    ("", "r g b -"),
    ("r g b", "value"),
    ("r g b", ""),
    ("", "r g b"),
    ("value #", ""),
    ("value", "#"),
    ("# value", ""),
    ("#", "value"),
    ("", "value #"),
    ("", "# value"),
    ("#", ""),
    ("", "#"),
    ("value", "h"),
    ("", "h"),
    ("value", ""),
    ("", "value"),
)
"""What numbers stand before and behind a name, the most telling form first; "-" counts for nothing."""

_LABELMAP = re.compile(r"(?P<name>[^:]+?)\s*:\s*(?P<color>\d+\s*,\s*\d+\s*,\s*\d+)?\s*(?::[^:]*){0,2}")
_COLORED = re.compile(r"[^:]+:\s*\d+\s*,\s*\d+\s*,\s*\d+\s*(?::[^:]*){0,2}")


def entries_in(text: str, source: str, *, table: bool) -> tuple[list[Entry], list[str]]:
    """The classes that a text names, and what was decided about it.

    Args:
        text: the whole file.
        source: its name, for messages.
        table: it is a table (.csv, .tsv) by its name, so that a single word above may be a header.

    Raises:
        DataError: colours for a part of the names only, or columns that no header explains.
    """
    lines = [_UNSEEN.sub("", line).strip() for line in text.splitlines()]
    lines = _without_frame([line for line in lines if line])
    lines = [line for line in lines if line and (not line.startswith("#") or _TOKENS_HEX.match(line))]
    lines = _items([re.sub(r"\s+#\s.*", "", line) for line in lines])
    if lines and (labelmap := _labelmap(lines, source)):
        return labelmap, []
    lines = [line.rstrip(":") for line in lines]
    if lines and (head := _header(lines, table)):
        if len(head) > 1:
            return _columns(lines, head, source), []
        lines, notes = lines[1:], [f"The first line of {source} ({lines[0]}) is taken as a header, not as a class."]
    else:
        doubtful = bool(lines) and _word(lines[0]) == _DOUBTFUL
        notes = [f"The first line of {source} ({lines[0]}) is taken as a class, not as a header."] if doubtful else []
    if lines and lines[0] == "__ignore__":
        lines = lines[1:]  # LabelMe's convention: this line stands for -1, the next one for value 0
    if len(lines) == 1 and (mark := _mark(lines[0])) and (several := _several(lines[0], mark)):
        between = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[mark]
        return several, [*notes, f"The one line of {source} is taken as {len(several)} names with {between} between."]
    return _numbered(lines, source, table), notes


def _without_frame(lines: list[str]) -> list[str]:
    """Lines without what programs write around the classes: Excel's mark, heads of palettes, bars of tables."""
    if lines[:1] == ["GIMP Palette"]:
        lines = [line for line in lines[1:] if not line.startswith(("Name:", "Columns:"))]
    lines = [line for line in lines if not re.fullmatch("sep=.?|INTERPOLATION:[A-Z]+", line)]  # QGIS
    if len(lines) > 1 and all(line.startswith("|") and line.endswith("|") for line in lines):  # Markdown
        lines = [line.strip("|").strip() for line in lines if not re.fullmatch(r"[|:\s-]+", line)]
    return lines


def _items(lines: Sequence[str]) -> list[str]:
    """Lines without what only makes them items of a list: a dash or star before each, a comma behind each."""
    if all(re.match(r"[-*]\s+\S", line) for line in lines):
        lines = [line[1:].strip() for line in lines]
    if len(lines) > 1 and all(line[:-1].strip() and line.endswith(",") for line in lines[:-1]):
        lines = [line.removesuffix(",").strip() for line in lines]
    return list(lines)


_TOKENS_HEX = re.compile(_TOKENS["#"] + _GAP)


def _labelmap(lines: Sequence[str], source: str) -> list[Entry]:
    """Lines of CVAT's and Datumaro's labelmap.txt (name:r,g,b:parts:actions); the colour may be left out.

    Raises:
        DataError: what stands in the place of the colour is none.
    """
    marked = [bool(_COLORED.fullmatch(line)) or line.endswith("::") for line in lines]
    if not any(marked) or not all(mark or ":" not in line for mark, line in zip(marked, lines, strict=True)):
        return []
    found = []
    for line in lines:
        match = _LABELMAP.fullmatch(line)
        if match is None and ":" in line:
            raise DataError(f"{source}: the line {line!r} has no colour; write name:red,green,blue::")
        found.append(
            Entry(line, None, None) if match is None else Entry(match["name"].strip(), None, color_in(match["color"]))
        )
    return found


def _header(lines: Sequence[str], table: bool) -> list[str]:
    """The columns that the first line names; none when it is no header."""
    head = [_word(cell) for cell in _cells(lines[0], _mark(lines[0]))]
    if len(head) == 1:
        return head if head[0] in _NAMES and (table or head[0] != _DOUBTFUL) and len(lines) > 1 else []
    named = any(word in (_NAMES if table else _NAMES[:5]) for word in head)
    colored = all(any(word in head for word in words) for words in _CHANNELS)
    explained = any(word in _NAMES for word in head) and (colored or any(word in (*_VALUES, *_COLORS) for word in head))
    return head if (named or explained) and not any(word.isdecimal() for word in head) else []


def _word(cell: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")


def _mark(line: str) -> str:
    """What divides a line into cells; "" for spaces between the words of a header."""
    mark = max("\t;,|", key=line.count)
    return mark if mark in line else ""


def _cells(line: str, mark: str) -> list[str]:
    if mark:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=mark, skipinitialspace=True))]
    words = line.split()
    return words if all(_word(word) in _HEADER for word in words) else [line]


def _columns(lines: Sequence[str], head: Sequence[str], source: str) -> list[Entry]:
    """The classes of a table, whose first line is its header."""
    mark = _mark(lines[0])
    rows = [_cells(line, mark) if mark else line.split(None, len(head) - 1) for line in lines[1:]]
    for line, row in zip(lines[1:], rows, strict=True):
        if len(row) < len(head):
            raise DataError(f"{source}: the line {line!r} has {len(row)} columns, the header has {len(head)}")
    cells = {word: [row[place] for row in rows] for place, word in reversed(list(enumerate(head)))}
    cells |= {word: [re.sub(r"\.0+$", "", cell) for cell in column] for word, column in cells.items()}
    whole = {word for word, column in cells.items() if all(_is_number(cell) for cell in column)}
    for word in set(_VALUES) & (cells.keys() - whole):
        odd = [cell for cell in cells[word] if not _is_number(cell)]
        if len(odd) < len(rows):
            raise DataError(f"{source}: {odd[0]!r} in the column {word} is no mask value; write whole numbers")
    parts = [word for words in (*_CHANNELS, ("a", "alpha")) for word in words]  # which may count up, too
    counted = [
        word for word in head if word in whole.difference(parts) and _in_turn([int(cell) for cell in cells[word]])
    ]
    name = next((word for word in _NAMES if word in cells and word not in whole), None)
    if name is None:
        raise DataError(f"{source}: no column holds names; give the header id,name or name,r,g,b")
    value = next((word for word in (*_VALUES, *_NAMES, *counted) if word in whole), None)
    channels = [next((word for word in words if word in whole), None) for words in _CHANNELS]
    color = next((word for word in _COLORS if word in cells), None)
    entries = []
    for number, label in enumerate(cells[name]):
        said = [cells[word][number] for word in channels if word]
        shown = ",".join(said) if len(said) == 3 else cells[color][number] if color else ""
        entries.append(
            Entry(_bare(label), int(cells[value][number]) if value is not None else None, color_in(_with_hash(shown)))
        )
    return entries


def _with_hash(text: str) -> str:
    """A colour from a column of colours, where the hash of "#ff0000" may be left out."""
    return f"#{text}" if re.fullmatch(r"[0-9a-fA-F]{6}", text.strip()) else text


def _several(line: str, mark: str) -> list[Entry]:
    """The names of a single line with a mark between; none when it is one class with its numbers."""
    names = [_bare(cell) for cell in _cells(line, mark)]
    plain = all(names) and not any(re.fullmatch(r"\d+|(?:#|0x)[0-9a-fA-F]{6}", name) for name in names)
    return [Entry(name) for name in names] if plain else []


def _numbered(lines: Sequence[str], source: str, table: bool) -> list[Entry]:
    """Classes a line, in the first form that all lines have."""
    plain = [re.sub(r'"(\d+)"', r"\1", line) for line in lines]  # of CSV files that quote every cell
    for before, behind in _FORMS:
        if found := _in_form(plain, before.split(), behind.split()):
            return found
    _refuse_part(plain, source)
    if table and lines and all(_mark(line) for line in lines):
        raise DataError(f"{source}: which column holds the names? Write a header above it, such as id,name")
    return [Entry(_bare(line)) for line in lines]


def _in_form(lines: Sequence[str], before: Sequence[str], behind: Sequence[str]) -> list[Entry]:
    """The classes, if all lines have these numbers before and behind the name, and the numbers make sense so."""
    pattern = _pattern(before, behind)
    matches = [match for line in lines if (match := pattern.fullmatch(line))]
    if not lines or len(matches) < len(lines):
        return []
    said = [dict(zip([*before, "name", *behind], match.groups(), strict=True)) for match in matches]
    entries = [Entry(_bare(one["name"]), int(one["value"]) if "value" in one else None, _color(one)) for one in said]
    values = sorted(entry.value for entry in entries if entry.value is not None)
    distinct = len(set(values)) == len(entries) == len({entry.name for entry in entries})
    in_turn = _in_turn(values)
    if "value" in said[0] and "r" in said[0]:
        alpha = {one["b"] for one in said} == {"255"} and "-" not in said[0]  # "255 0 0 255 road"
        return entries if distinct and (in_turn or not alpha) else []
    if said[0].keys() == {"value", "name"} and not any(_marked(match) for match in matches):
        # "2 wheeler", "phase 1": with a mere space between, numbers may be a part of the names.
        return entries if distinct and (before or in_turn) else []
    return entries


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+", cell) is not None


def _in_turn(values: Sequence[int]) -> bool:
    """Whether numbers count up from 0 or 1."""
    return list(values) in (list(range(len(values))), list(range(1, len(values) + 1)))


def _color(said: Mapping[str, str]) -> Color | None:
    shown = said.get("#") or said.get("h")
    return color_in(shown) if shown else color_in([int(said[c]) for c in "rgb"]) if "r" in said else None


def _marked(match: re.Match[str]) -> bool:
    """Whether more than spaces stands between the number and the name."""
    return bool(match[0].replace(match["name"], "", 1).strip("0123456789 "))


def _pattern(before: Sequence[str], behind: Sequence[str]) -> re.Pattern[str]:
    def token(kind: str) -> str:
        return _TOKENS["r" if kind in ("g", "b") else kind]

    first = "".join(token(kind) + (r"[)\].]?" + _GAP) for kind in before)
    last = "".join(_GAP + r"(?:rgba?)?[(\[]?" + token(kind) for kind in behind)
    opened = r"[(\[]?" if before else ""
    return re.compile(
        rf"{opened}{first}(?P<name>\S.*?|\S){last}[)\]]?" if behind else rf"{opened}{first}(?P<name>\S.*)"
    )


def _refuse_part(lines: Sequence[str], source: str) -> None:
    """Refuse a list in which most lines have a colour, and some have none.

    Raises:
        DataError: names the first line without one.
    """
    forms = [_pattern(["r", "g", "b"], ()), _pattern((), ["r", "g", "b"]), _pattern("#", ()), _pattern((), "#")]
    for form in forms:
        lacking = [line for line in lines if not form.fullmatch(line)]
        if lacking and len(lacking) * 2 < len(lines):
            raise DataError(f"{source}: the line {lacking[0]!r} has no colour, while others do; write: R G B name")


def _bare(name: str) -> str:
    """A name without the quotes around it."""
    text = name.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].replace('""', '"').strip()
    return text
