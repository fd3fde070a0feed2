"""What every model says of itself, and the wishes of single architectures."""

import pytest
import torch

from intarsia.errors import ModelError, UsageError
from intarsia.models import SegmentationModel, architecture, build, image_model
from intarsia.models.video import VideoSegmenter
from intarsia.recipe import Recipe


class Spaced:
    """Data whose points are so far apart."""

    def __init__(self, metres: float | None) -> None:
        self.metres = metres

    def spacing(self) -> float:
        assert self.metres is not None, "nobody asked for it"
        return self.metres


def test_models_of_points_know_nothing_of_pictures() -> None:
    model = build("pointnet", classes=3, in_channels=4)
    assert not any(hasattr(model, name) for name in ("encoder", "margin", "context", "join", "early", "logits_at"))
    assert list(model.encoder_parameters()) == [] and model.backbone is None and model.base is model
    assert model.normalisation == ((0.0,) * 4, (1.0,) * 4)
    with pytest.raises(ModelError, match="is no model of pictures"):
        image_model(model)


def test_models_of_pictures_tell_their_encoder() -> None:
    model = image_model(build("lraspp", classes=2, encoder="test_resnet"))
    assert model.backbone is model.encoder
    assert {id(p) for p in model.encoder_parameters()} == {id(p) for p in model.encoder.parameters()}
    original = image_model(build("unet_original", classes=2, width=4))
    assert original.backbone is None and len(list(original.encoder_parameters())) > 4
    assert original.normalisation == ((0.5,), (0.5,))


def test_only_video_models_take_clips() -> None:
    assert VideoSegmenter.takes_clips and not SegmentationModel.takes_clips


@pytest.mark.parametrize("features", [["height"], ["height", "normals"], []])
def test_acnn_needs_normals_first(features: list[str]) -> None:
    recipe = Recipe.from_dict({"model": {"architecture": "acnn"}, "cloud": {"features": features}})
    with pytest.raises(UsageError, match=r"have to be the first feature: set cloud.features=\[normals"):
        architecture("acnn").check(recipe)
    architecture("acnn").check(recipe.override({"cloud.features": ["normals", "height"]}))
    architecture("pointnet").check(recipe)


@pytest.mark.parametrize(
    ("name", "options", "metres", "found"),
    [
        ("acnn", {}, 0.25, {"spacing": 0.25}),
        ("acnn", {"task": "scene"}, 0.0, {"spacing": 0.001}),
        ("acnn", {"spacing": 0.5}, None, {}),
        ("acnn", {"task": "part"}, None, {}),
        ("pointnet", {}, None, {}),
    ],
)
def test_options_that_follow_from_the_data(name: str, options: dict, metres: float | None, found: dict) -> None:
    assert architecture(name).options_from(options, Spaced(metres)) == found


def test_acnn_tells_how_full_its_rings_are() -> None:
    """A grid of 1 m with rings to 1.25 m and 2.5 m: of 16 and 32 places, the point and its neighbours fill some."""
    side = torch.arange(12.0)
    xyz = torch.stack([*torch.meshgrid(side, side, indexing="ij"), torch.zeros(12, 12)]).flatten(1)
    x = torch.cat([xyz, torch.zeros(2, 144), torch.ones(1, 144)])[None]
    (told,) = build("acnn", classes=2, in_channels=6, spacing=0.5).remarks(x)
    assert told.startswith("first rings: 0 to 1.25 m ") and told.endswith("filled; model.options.spacing widens them")
    assert build("pointnet", classes=2, in_channels=6).remarks(x) == []
