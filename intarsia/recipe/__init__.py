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
_ROOMS = {"Recipe": "document", "read_assignments": "assignments"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'sections')}"), name)
