"""A model says itself what it is for, so that a new kind of model needs no line where others are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.inference import Predictor, VideoPredictor
from intarsia.inference.ready import Ready
from intarsia.models import ImageModel

MakePredictor = Callable[..., Predictor]


class Ears(Ready):
    """A kind of model that the package does not know."""

    things = "sounds"

    def __init__(self, like: Predictor) -> None:
        super().__init__(like.bundle, {"runtime": like.runtime, "precision": "fp32", "device": "cpu"})


@pytest.fixture
def predictor(make_predictor: MakePredictor, local: ImageModel) -> Predictor:
    return make_predictor(local)


def test_another_kind_of_model_is_refused_in_its_own_words(predictor: Predictor) -> None:
    ears = Ears(predictor)
    with pytest.raises(UsageError, match=r"^mine is a model of sounds; this needs one of pictures$"):
        ears.of_pictures("mine")
    with pytest.raises(UsageError, match=r"^mine is a model of sounds; this needs one of point clouds$"):
        ears.of_clouds("mine")
    with pytest.raises(DataError, match=r"is a model of sounds, and segments no videos$"):
        ears.filming(every=2)


def test_pictures(predictor: Predictor) -> None:
    assert predictor.of_pictures("mine") is predictor
    with pytest.raises(UsageError, match=r"^mine is a model of pictures; this needs one of point clouds$"):
        predictor.of_clouds("mine")


def test_a_schedule_counts_once(predictor: Predictor) -> None:
    filming = predictor.filming(every=2)
    assert isinstance(filming, VideoPredictor)
    assert filming.settings["schedule"] == {"every": 2}
    assert filming.filming(every=3) is filming


def test_warming_up_computes_what_the_model_is_for(make_predictor: MakePredictor, local: ImageModel) -> None:
    drawn: list[tuple[int, ...]] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for side in (8, 16):
            drawn.append((side, side))
            yield np.zeros((side, side, 3), np.uint8)

    Ears(make_predictor(local)).warm_up(pictures())
    assert drawn == []
    make_predictor(local).warm_up(pictures())
    assert drawn == [(8, 8), (16, 16)]
