"""What a cloud's fields are called: the names of tools and data sets, and the one name that each has here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLORS = ("red", "green", "blue", "infrared")
NORMALS = ("nx", "ny", "nz")
COORDINATES = ("x", "y", "z")

# What tools call the same thing. Lower case, without CloudCompare's "scalar_".
_ALIASES = {
    "r": "red", "g": "green", "b": "blue", "diffuse_red": "red", "diffuse_green": "green", "diffuse_blue": "blue",
    "nir": "infrared", "near_infrared": "infrared", "i": "intensity", "reflectance": "intensity",
    "remission": "intensity", "returnnumber": "return_number", "numberofreturns": "number_of_returns",
    "num_returns": "number_of_returns", "normal_x": "nx", "normal_y": "ny", "normal_z": "nz", "easting": "x",
    "northing": "y", "elevation": "z", "longitude": "x", "latitude": "y", "lon": "x", "lat": "y",
    "classification": "label", "class": "label", "labels": "label", "semantic": "label", "segment": "label",
    "semantic_label": "label", "sem_label": "label", "category": "label", "semantic_class": "label",
    "semantic_id": "label", "semantic_gt": "label", "semantics": "label", "sem_class": "label", "class_id": "label",
    "classid": "label", "class_label": "label", "label_id": "label", "labelid": "label", "category_id": "label",
    "gt": "label", "gt_label": "label", "ground_truth": "label", "klasse": "label",
}  # fmt: skip

# Names that are coordinates or colours where nothing else is.
_STAND_INS = {
    "rechtswert": "x", "ostwert": "x", "east": "x", "e": "x", "hochwert": "y", "nordwert": "y", "north": "y", "n": "y",
    "height": "z", "altitude": "z", "alt": "z", "h": "z", "up": "z", "höhe": "z", "hoehe": "z",
}  # fmt: skip
_PART = re.compile(
    r"(?:coords?|coordinates?|pos|positions?|points?|pt|loc|location)(?:[\s_.]?([xyz])|:([012]))"
    r"|(?:colou?rs?|col|rgba?)(?:[\s_.]?(r|g|b|red|green|blue)|:([012]))"
)
"""One column of a group: pos_x, colour_r, or ParaView's Points:0 and RGB:2."""


# Arrays of several columns, by the names that files and data sets give them.
_GROUPS = {
    COORDINATES: ("xyz", "pos", "points", "coord", "coords", "coordinates", "point", "data"),
    COLORS[:3]: ("rgb", "color", "colors", "colour", "colours"),
    NORMALS: ("normal", "normals"),
}
_UNIT = re.compile(r"\s*[\[(][^\])]*[\])]$")


def plain(name: str) -> str:
    """A field's own name, in the spelling of this package: without unit, in lower case."""
    return _UNIT.sub("", name.strip()).lower().removeprefix("scalar_")


def canonical(name: str) -> str:
    """The one name under which this package knows a field, whatever the file calls it."""
    return _ALIASES.get(plain(name), plain(name))


def with_stand_ins(names: Sequence[str]) -> dict[str, str]:
    """Name the columns of a table that stand for coordinates and colours where the usual names are missing.

    Args:
        names: the file's.

    Returns:
        From the file's name to the usual one, of those that have another.
    """
    known = {canonical(name) for name in names}
    found: dict[str, str] = {}
    for name in names:
        part = _PART.fullmatch(plain(name))
        axis, place, channel, number = part.groups() if part else (_STAND_INS.get(plain(name)), None, None, None)
        usual = axis or (place and COORDINATES[int(place)]) or (number and COLORS[int(number)]) or channel
        if usual and canonical(usual) not in known:
            found[name] = canonical(usual)
            known.add(canonical(usual))
    return found


def name_fields(names: Sequence[str], label: str | None = None) -> dict[str, str]:
    """Name a file's fields as this package does, each once.

    A field that bears the name itself comes before one that is merely known to mean the same (intensity before
    reflectance); what comes second keeps its own name.

    Args:
        names: the file's.
        label: the one that holds the class codes.

    Returns:
        From the file's name to the name here.
    """
    known = {} if label is None else {label: "label"}
    for name in [*(name for name in names if plain(name) == canonical(name)), *names]:
        if name not in known:
            free = (one for one in (canonical(name), plain(name), name) if one not in known.values())
            known[name] = next(free, f"{plain(name)}_{len(known)}")
    return {name: known[name] for name in names}


def split_columns(name: str, values: NDArray[Any], *, placed: bool = False) -> dict[str, NDArray[Any]]:
    """Make one array a column of one that may hold several: normals and colours by their axes, others numbered.

    Args:
        name: of the field.
        values: (N,) or (N, ...).
        placed: the coordinates are known already, so that an array named "points" is something else.
    """
    if values.ndim == 1:
        return {name: values}
    table = values.reshape(len(values), int(np.prod(values.shape[1:])))
    if table.shape[1] == 1:
        return {name: table[:, 0]}
    groups = [members for members, known in _GROUPS.items() if plain(name) in known]
    members = () if not groups or table.shape[1] < 3 or (placed and groups[0] == COORDINATES) else groups[0]
    numbered = (f"{name}_{place}" for place in range(len(members), table.shape[1]))
    return {column: table[:, place] for place, column in enumerate((*members, *numbered))}
