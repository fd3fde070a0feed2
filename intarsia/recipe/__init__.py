"""Recipes: everything that defines one experiment, as one typed document. YAML in, YAML out."""

from intarsia.recipe.document import Recipe, read_assignments
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
