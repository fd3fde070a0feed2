"""A make-up with the models that it needs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.loading import load_predictor
from intarsia.apps.makeup.hair import DRESSED, by_looks, by_network
from intarsia.apps.makeup.look import Look
from intarsia.apps.makeup.painting import MakeUp
from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.inference import Predictor
from intarsia.inference.faces.finding import FaceFinder
from intarsia.media.images import ImageLike, read_image
from intarsia.zoo import find_bundle


def make_up(photo: ImageLike, **look: Any) -> NDArray[np.uint8]:
    """Make up the faces of one photo.

    Args:
        photo: path, encoded bytes, PIL image or array.
        look: what is painted; see `Look`: ``lips="#b0123b"``, ``skin="smooth"``, ``strength=0.5``, ...

    Returns:
        (H, W, 3) uint8 sRGB; what is in none of the painted parts is as it was, to the bit.

    Raises:
        UsageError: there is nothing to paint, or no such colour.
        NothingFound: there is no face, or none that can be painted.
        DataError: the photo cannot be read.
    """
    return open_makeup(Look(**look)).paint(read_image(photo))[0]


def open_makeup(look: Look, *, model: str | os.PathLike[str] | None = None) -> MakeUp:
    """Make a make-up ready, for one photo or many; see `MakeUp`.

    Args:
        look: what is painted.
        model: a model of the parts of faces with a class "hair", bundle or run folder; None finds hair by its looks.

    Raises:
        UsageError: there is no such model, or it knows no hair; or a model is given for a look without hair.
        ModelError: a model is damaged.
    """
    if model is not None and not look.hair:
        raise UsageError("a model is needed for hair alone; say its colour (--hair brown), or leave the model out")
    models = [_described(name) for name in ("face-detector", "face")]
    if not look.hair:
        return MakeUp(look, FaceFinder(), None, models)
    if model is None:
        person, worn = _described("person"), _described("clothes")
        clothes = Predictor(worn, runtime="onnx", long_side=0, scales=DRESSED)
        hair = by_looks(Predictor(person, runtime="onnx"), clothes, *map(worn.space.index, ("hair", "background")))
        return MakeUp(look, FaceFinder(), hair, [*models, person, worn])
    known = _described(model)
    if "hair" not in known.space.names:
        names = ", ".join(known.space.names)
        raise UsageError(f"{known.title} has no class hair, only {names}; name a model of the parts of faces")
    hair = by_network(load_predictor(model), known.space.index("hair"))
    return MakeUp(look, FaceFinder(), hair, [*models, known])


def _described(model: str | os.PathLike[str]) -> Description:
    return Description.load(find_bundle(model))
