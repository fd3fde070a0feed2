"""The model of an app: a name, or one that is loaded."""

from __future__ import annotations

import os
from typing import Any

import intarsia
from intarsia.inference import Predictor


def load_predictor(model: str | os.PathLike[str] | Predictor, **options: Any) -> Predictor:
    """Load a model of pictures.

    Args:
        model: a name or file as for `intarsia.load`, or one that is loaded, which is taken as it is.
        options: of `intarsia.load`.

    Raises:
        UsageError: no model has this name, or it is one of point clouds.
    """
    if not isinstance(model, str | os.PathLike):
        return model
    return intarsia.load(model, **options).of_pictures(os.fspath(model))
