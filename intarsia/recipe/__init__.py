"""Recipes: everything that defines one experiment, as one typed document. YAML in, YAML out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intarsia.recipe.assignments import read_assignments
    from intarsia.recipe.document import Recipe
    from intarsia.recipe.sections import (
        Augment,
        Clips,
        Cloud,
        CloudAugment,
        Data,
        Input,
        LossTerm,
        Model,
        Optimizer,
        ReadOptions,
        Refine,
        Remapping,
        Source,
        Training,
    )

__all__ = [
    "Augment",
    "Clips",
    "Cloud",
    "CloudAugment",
    "Data",
    "Input",
    "LossTerm",
    "Model",
    "Optimizer",
    "ReadOptions",
    "Recipe",
    "Refine",
    "Remapping",
    "Source",
    "Training",
    "read_assignments",
]

# Loaded when they are asked for: reading key=value of a command line must not wait for the models of all sections.
_ROOMS = {
    "assignments": ("read_assignments",),
    "document": ("Recipe",),
    "sections": (
        "Augment",
        "Clips",
        "Cloud",
        "CloudAugment",
        "Data",
        "Input",
        "LossTerm",
        "Model",
        "Optimizer",
        "ReadOptions",
        "Refine",
        "Remapping",
        "Source",
        "Training",
    ),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
