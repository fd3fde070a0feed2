"""Recipe: the document, its YAML, and how it is changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from intarsia.errors import UsageError
from intarsia.files import reason, write_text
from intarsia.recipe.assignments import read_assignments
from intarsia.recipe.sections import (
    Augment,
    Clips,
    Cloud,
    Data,
    Input,
    Model,
    Optimizer,
    Refine,
    Section,
    Training,
    explain,
)
from intarsia.texts import decoded
from intarsia.yamltext import read_yaml, write_yaml

_MOVED = {"columns", "label"}


class Recipe(Section):
    """One experiment. Unknown keys are errors; the resolved recipe is saved with the run and inside the bundle."""

    name: str = Field("experiment", description="names the run folder, runs/NAME, and the report")
    description: str = Field("", description="one sentence, for the report")
    data: Data = Data()
    model: Model = Model()
    input: Input = Input()
    augment: Augment = Augment()
    cloud: Cloud = Cloud()
    optimizer: Optimizer = Optimizer()
    training: Training = Training()
    clips: Clips | None = Field(None, description="train on clips made of the stills; none: on the stills")
    refine: Refine = Refine()
    card: dict[str, str] = Field({}, description="notes for the model card, for instance data, licence, limits")

    @model_validator(mode="before")
    @classmethod
    def _with_columns_in_data(cls, value: Any) -> Any:
        """Recipes made before had `columns` and `label` of clouds in the section `cloud`."""
        cloud = value.get("cloud") if isinstance(value, Mapping) else None
        if not isinstance(cloud, Mapping) or not _MOVED & cloud.keys():
            return value
        kept = {key: said for key, said in cloud.items() if key not in _MOVED}
        moved = {key: cloud[key] for key in _MOVED & cloud.keys() if cloud[key] is not None}
        data = value.get("data", {})
        if moved and isinstance(data, Mapping):
            data = {**data, **moved}
        elif moved and isinstance(data, list):
            data = [{**one, **moved} if isinstance(one, Mapping) else one for one in data]
        return {**value, "cloud": kept, "data": data}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a YAML file. Relative data paths are taken from the recipe's folder if they exist there, ~ is the home.

        Raises:
            UsageError: no such file, not YAML, an unknown key or a wrong value; the message names file and key.
        """
        file = Path(path)
        try:
            text = decoded(file.read_bytes())[0]
        except OSError as error:
            raise UsageError(f"cannot read recipe {file}: {reason(error)}") from error
        except ValueError as error:
            if file.suffix.lower() not in (".yaml", ".yml", ".json", ".txt", ""):
                raise UsageError(
                    f"{file}: neither a recipe (a text file, YAML) nor a folder of labelled data"
                ) from error
            raise UsageError(f"cannot read recipe {file}: {error}; save it as UTF-8") from error
        recipe = cls.from_text(text, origin=str(file))
        if not recipe.model_fields_set:
            raise UsageError(
                f"{file}: a recipe without a key; write one (intarsia recipes keys), or leave the file out"
            )
        data = recipe.said().get("data", {})
        for place in (data, *data.get("sources", ())):
            reader = place.get("reader", {})
            for holder, key in ((place, "path"), (place, "remap"), (reader, "images"), (reader, "masks")):
                said = holder.get(key)
                if isinstance(said, str) and said:
                    holder[key] = _found(said, file.parent)
        return recipe.override({"data": data})

    @classmethod
    def from_text(cls, text: str, *, origin: str = "recipe") -> Recipe:
        """Read YAML text; `origin` names it in errors."""
        try:
            value = read_yaml(text)
        except ValueError as error:
            raise UsageError(f"{origin} is not valid YAML: {error}") from error
        if value is None:
            value = {}
        if not isinstance(value, dict):
            kind = {"list": "a list", "str": "a text"}.get(type(value).__name__, f"a {type(value).__name__}")
            raise UsageError(f"{origin}: a recipe holds keys with their values (data: {{path: FOLDER}}), not {kind}")
        return cls.from_dict(value, origin=origin)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, origin: str = "recipe") -> Recipe:
        """Validate plain data; errors name the key and suggest the closest one."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise UsageError("\n".join(f"{origin}: {explain(one, cls)}" for one in error.errors())) from None

    def override(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with dotted keys replaced, for instance ``{"training.epochs": 5}``."""
        value, resolved = self.said(), self.to_dict()
        for key, new in changes.items():
            *parents, last = key.split(".")
            section, known = value, resolved
            for parent in parents:
                below = section.get(parent, known.get(parent))
                if below is not None and not isinstance(below, dict):
                    raise UsageError(f"{key}: {parent} has no keys of its own")
                # not there, not said, or a section that is left out by default
                section[parent] = section.get(parent) or {}
                section, known = section[parent], known.get(parent) or {}
            section[last] = new
        return self.from_dict(value, origin="override")

    def override_text(self, assignments: Iterable[str]) -> Recipe:
        """A copy with ``key=value`` texts applied, the values read as YAML (``training.epochs=5``)."""
        return self.override(read_assignments(assignments))

    def said(self) -> dict[str, Any]:
        """Plain JSON-compatible form of what was said, without defaults."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def names_model(self) -> bool:
        """Whether it says which architecture is trained; if not, the data decide."""
        return "architecture" in self.model.model_fields_set

    def on_top_of(self, base: Recipe) -> Recipe:
        """`base`, but for what this recipe says."""
        said = self.said()
        below = base.said()
        if self.data.sources:
            below.pop("data", None)  # which names one place
        return self.from_dict(_merged(below, said), origin="recipe")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-compatible form with every default filled in."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The resolved recipe as YAML."""
        return write_yaml(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the resolved recipe."""
        write_text(path, self.to_yaml())


def _found(said: str, folder: Path) -> str:
    """A place as a recipe in `folder` says it, from here."""
    place = Path(os.path.expanduser(said))
    return str(folder / place) if not place.exists() and (folder / place).exists() else str(place)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested dictionaries as one; where both say something, `above` counts."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = _merged(below[key], value) if both else value
    return merged
