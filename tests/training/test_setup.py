"""What a recipe and a model make of pictures."""

import pytest
from small import small

from intarsia.bundle import Bundle
from intarsia.errors import ModelError
from intarsia.inference import Predictor
from intarsia.models import build
from intarsia.recipe import Input, Recipe
from intarsia.training import train
from intarsia.training.plan.setup import preprocessing_of

RECIPE = Recipe(input=Input(long_side=300))


def test_colour_models_keep_their_encoders_normalisation():
    found = preprocessing_of(small("unet"), RECIPE)
    assert found.mean == small("unet").encoder.mean and len(found.mean) == len(found.std) == 3
    assert found.long_side == 300


def test_grey_models_get_the_average_of_their_encoders_normalisation():
    found = preprocessing_of(
        build("unet", classes=2, encoder="resnet10t", channels=(8, 8, 8, 8), in_channels=1), RECIPE
    )
    assert found.mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3])
    assert found.std == pytest.approx([(0.229 + 0.224 + 0.225) / 3])
    plain = preprocessing_of(small("unet_original", in_channels=1), RECIPE)
    assert (plain.mean, plain.std) == ((0.5,), (0.5,))


def test_pictures_have_three_channels_or_one():
    with pytest.raises(ModelError, match=r"takes 4 channels, but pictures have three \(or one, as grey\)"):
        preprocessing_of(small("unet", in_channels=4), RECIPE)


def test_a_grey_model_trains_validates_and_predicts(scenes, recipe, tmp_path):
    options = {"model.architecture": "unet_original", "model.options": {"width": 2}}
    changes = options | {"training.epochs": 1, "training.precision": "auto", "augment.elastic": 4}
    run = train(recipe.override(changes), scenes, tmp_path / "run")
    bundle = Bundle.load(run.best)
    assert bundle.preprocessing.mean == (0.5,)
    item = scenes.splits["val"].items[0]
    assert Predictor(bundle).segment(item.input).labels.shape == (40, 56)
