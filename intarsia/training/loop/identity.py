"""Tell what must be the same for a resumed training to end like an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from intarsia.recipe import Recipe

# What of a recipe does not decide the weights: a resumed run may have others. All other keys have to stay, also those
# that recipes will have one day.
_FREE = (
    "name",
    "description",
    "card",
    "refine",
    "data.path",
    "training.shard",
    "training.workers",
    "training.cache",
    "training.samples",
    "training.tensorboard",
    "training.precision",
    "training.checkpoint_every",
    "training.minutes",
    "training.max_bad_samples",
    "training.max_skipped_steps",
)
_PATHS = ("path", "remap", "reader.images", "reader.masks")


def identity(recipe: Recipe, **read: Any) -> dict[str, Any]:
    """All that decides the weights, as plain JSON: the recipe without its free settings, and what was read.

    Paths are left out: data may have moved. What lies there is compared by `read`.

    Args:
        recipe: the experiment.
        read: of the data, for instance the classes and the names of the samples.
    """
    found: dict[str, Any] = json.loads(json.dumps({**_decisive(recipe), **read}))
    return found


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The dotted keys in which two identities differ.

    Checkpoints of earlier versions hold less: sections that `stored` lacks are not compared, and keys that a section
    lacks had the value that is now their default.
    """
    sections = {key: value for key, value in stored.items() if key in Recipe.model_fields}
    filled = identity(Recipe.from_dict(sections, origin="the checkpoint"))
    before = {**stored, **{key: filled[key] for key in sections}}
    return sorted(key for name, value in before.items() for key in _unequal(name, value, now.get(name)))


def is_extended(changed: Sequence[str], stored: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether all that changed is that there are more epochs than before."""
    return list(changed) == ["training.epochs"] and now["training"]["epochs"] > stored["training"]["epochs"]


def _decisive(recipe: Recipe) -> dict[str, Any]:
    value = recipe.to_dict()
    for key in _FREE:
        _drop(value, key)
    for place in (value["data"], *value["data"]["sources"]):
        for key in _PATHS:
            _drop_path(place, key)
    return value


def _drop(value: dict[str, Any], key: str) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        value = value[parent]
    value.pop(last, None)


def _drop_path(place: dict[str, Any], key: str) -> None:
    """Remove a key that holds a path; remappings that are written out stay."""
    *parents, last = key.split(".")
    for parent in parents:
        place = place[parent]
    if isinstance(place.get(last), str):
        del place[last]


def _unequal(key: str, one: Any, other: Any) -> list[str]:
    """The innermost keys whose values differ."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        names: Sequence[Any] = [*dict.fromkeys([*one, *other])]
        return [found for name in names for found in _unequal(f"{key}.{name}", one.get(name), other.get(name))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other) and _sections(one + other):
        return [found for n, pair in enumerate(zip(one, other, strict=True)) for found in _unequal(f"{key}.{n}", *pair)]
    return [key]


def _sections(values: Sequence[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)
