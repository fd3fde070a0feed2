"""Which predictor makes a model ready: a line for each medium that models are made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from intarsia.bundle import Description

if TYPE_CHECKING:
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.inference.predictor import Predictor


def _of_pixels() -> type[Predictor]:
    from intarsia.inference.predictor import Predictor

    return Predictor


def _of_points() -> type[CloudPredictor]:
    from intarsia.inference.clouds import CloudPredictor

    return CloudPredictor


_KINDS: Mapping[str, Callable[[], type[Predictor] | type[CloudPredictor]]] = {
    "picture": _of_pixels,
    "raster": _of_pixels,
    "volume": _of_pixels,
    "cloud": _of_points,
}
"""Loads a kind of predictor only where a model needs it, by the medium that its preprocessing is for."""


def predictor_for(description: Description) -> type[Predictor] | type[CloudPredictor]:
    """Find the kind of predictor that makes a model ready, by what its preprocessing is for."""
    return _KINDS[description.preprocessing.medium]()
