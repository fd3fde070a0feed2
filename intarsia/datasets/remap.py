"""Other classes for a data set: its own ones renamed, joined or left out, always by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.annotations.document import is_unlabelled
from intarsia.datasets.splits import Dataset
from intarsia.errors import UsageError, suggest
from intarsia.files import reason
from intarsia.labels import Color, LabelArray, LabelSpace
from intarsia.texts import decoded
from intarsia.yamltext import read_yaml

IGNORE = "ignore"
_KEYS = ("classes", "palette", "map", "rest")
_RESTS = ("error", "keep", IGNORE)


@dataclass(frozen=True)
class Remap:
    """A rule from one label space to another.

    Attributes:
        map: name in the data set -> new name; "ignore" leaves the class out (its pixels are not labelled).
        classes: the new classes in order; `()` takes the new names in the order of the data set's classes.
        palette: a colour for each of `classes`; `()` takes the data set's colours.
        rest: what becomes of classes that `map` does not name and that are no new class themselves: "error" refuses,
            "keep" keeps them under their names, "ignore" leaves them out, and the name of a new class makes all of them
            that class.
    """

    map: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    palette: tuple[Color, ...] = ()
    rest: str = "error"

    @classmethod
    def from_dict(cls, value: Any, origin: str = "remap") -> Remap:
        """Read plain data: {"map": {old: new, ...}, "classes": [...], "rest": "ignore"}.

        Raises:
            UsageError: another form; says which key is wrong.
        """
        if not isinstance(value, Mapping):
            raise UsageError(
                f"{origin}: a remapping has the keys {', '.join(_KEYS)}; write for instance: map: {{car: vehicle}}"
            )
        for key in value:
            if key not in _KEYS:
                raise UsageError(f"{origin}: unknown key {key!r}.{suggest(str(key), _KEYS)}")
        names = value.get("map") or {}
        if not isinstance(names, Mapping) or not all(isinstance(new, str | None) for new in names.values()):
            raise UsageError(f"{origin}: map gives each name a new name, for instance {{car: vehicle, sky: ignore}}")
        rest = value.get("rest", "error")
        classes, palette = value.get("classes") or (), value.get("palette") or ()
        if isinstance(classes, str) or not isinstance(classes, Sequence):
            raise UsageError(f"{origin}: classes is a list of names")
        try:
            colors = tuple((int(r), int(g), int(b)) for r, g, b in palette)
        except (TypeError, ValueError):
            raise UsageError(f"{origin}: palette is a list of colours [red, green, blue]") from None
        known = {*_RESTS, *map(str, classes), *(name for name in names.values() if name)}
        if rest not in known:
            raise UsageError(
                f"{origin}: rest is {rest!r}, neither {', '.join(_RESTS)} nor a new class; name it in classes as well."
                f"{suggest(str(rest), sorted(known))}"
            )
        new = {str(old): IGNORE if name is None else str(name) for old, name in names.items()}
        return cls(new, tuple(map(str, classes)), colors, rest)

    def to_dict(self) -> dict[str, Any]:
        """The plain form that `from_dict` reads."""
        return {
            "map": dict(self.map),
            "classes": list(self.classes) or None,
            "palette": [list(color) for color in self.palette] or None,
            "rest": self.rest,
        }

    @classmethod
    def load(cls, path: Path) -> Remap:
        """Read a YAML or JSON file of the form of `from_dict`.

        Raises:
            UsageError: no such file, or not of this form.
        """
        try:
            text = decoded(path.read_bytes())[0]
            value = json.loads(text) if path.suffix.lower() == ".json" else read_yaml(text)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read as a remapping: {reason(error)}") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: cannot be read as a remapping: {error}") from error
        return cls.from_dict(value, str(path))

    def apply(self, space: LabelSpace) -> tuple[LabelSpace, LabelArray]:
        """The new space, and the lookup table (ignore_index + 1 entries) from old labels to new ones.

        Raises:
            UsageError: a name that the data set or the new classes do not have, or classes that nothing is said about.
        """
        for old in self.map:
            if old not in space.names:
                raise UsageError(f"remap: the data set has no class {old!r}.{suggest(old, space.names)}")
        targets = {name: self._target(name) for name in space.names}
        silent = [name for name, new in targets.items() if new is None]
        if silent:
            raise UsageError(
                f"remap: nothing is said about {', '.join(silent)}; name them in map (new name, or {IGNORE}), or set "
                f"rest to {IGNORE}, keep or the new class that all of them become"
            )
        kept = dict.fromkeys(new for new in targets.values() if new and not is_unlabelled(new))
        names = self.classes or tuple(kept)
        for name in kept:
            if name not in names:
                raise UsageError(f"remap: no new class is named {name!r}.{suggest(name, names)}")
        if not names:
            raise UsageError("remap: every class is ignored; keep at least one")
        result = LabelSpace(names, self.palette or self._colors(space, targets, names))
        table = np.full(space.ignore_index + 1, result.ignore_index, dtype=result.dtype)
        for index, name in enumerate(space.names):
            new = targets[name]
            if new in result.names:
                table[index] = result.index(str(new))
        return result, table

    def _target(self, name: str) -> str | None:
        """The new name of a class; None when the rule says nothing."""
        if name in self.map:
            return self.map[name]
        if name in self.classes or self.rest == "keep":
            return name
        return None if self.rest == "error" else self.rest

    def _colors(self, space: LabelSpace, targets: Mapping[str, str | None], names: Sequence[str]) -> tuple[Color, ...]:
        """Each new class in the colour of the first class that becomes it; all fresh where one has none."""
        colors: dict[str, Color] = {}
        for name, color in zip(space.names, space.palette, strict=True):
            colors.setdefault(str(targets[name]), color)
        found = [colors.get(name) for name in names]
        return tuple(color for color in found if color) if all(found) and len(set(found)) == len(names) else ()


def remapped(dataset: Dataset, remap: Remap) -> Dataset:
    """The same files with other classes.

    Raises:
        UsageError: the rule does not fit the data set's classes.
    """
    space, table = remap.apply(dataset.space)
    splits = {name: split.remapped(space, table) for name, split in dataset.splits.items()}
    ignored = [name for index, name in enumerate(dataset.space.names) if table[index] == space.ignore_index]
    note = f"Remapped from {len(dataset.space)} classes to {len(space)}: {', '.join(space.names)}" + (
        f"; ignored: {', '.join(ignored)}." if ignored else "."
    )
    return replace(dataset, space=space, splits=splits, notes=(*dataset.notes, note))
