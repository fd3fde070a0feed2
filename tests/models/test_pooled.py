"""Encoders that shrink by pooling: the contract that the others keep."""

from __future__ import annotations

import pytest
import torch

from intarsia.errors import ModelError
from intarsia.models.encoders import build_encoder
from intarsia.models.encoders.pooled import SMP_POOLED
from intarsia.models.shapes import shapes_only

pytest.importorskip("timm")


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("smp_densenet121", {2: 64, 4: 256, 8: 512, 16: 1024, 32: 1024}),
        ("smp_dpn68", {2: 10, 4: 144, 8: 320, 16: 704, 32: 832}),
        ("smp_xception", {2: 64, 4: 128, 8: 256, 16: 728, 32: 2048}),
        ("smp_inceptionv4", {2: 64, 4: 192, 8: 384, 16: 1024, 32: 1536}),
        ("smp_inceptionresnetv2", {2: 64, 4: 192, 8: 320, 16: 1088, 32: 1536}),
    ],
)
def test_maps_of_any_size(name: str, channels: dict[int, int]) -> None:
    with shapes_only():
        encoder = build_encoder(name, in_channels=4).eval()
        maps = encoder(torch.zeros(1, 4, 33, 70))
    assert encoder.channels == channels and encoder.output_stride == 32
    assert {stage: tuple(one.shape[1:]) for stage, one in maps.items()} == {
        stage: (width, -(-33 // stage), -(-70 // stage)) for stage, width in channels.items()
    }


def test_what_lies_behind_the_deepest_map_is_left_out() -> None:
    with shapes_only():
        whole, part = build_encoder("smp_densenet121"), build_encoder("smp_densenet121", deepest=8)
        maps = part.eval()(torch.zeros(1, 3, 32, 32))
    assert list(maps) == [2, 4, 8] == list(part.channels) and part.output_stride == 8
    names = set(part.state_dict())
    assert names < set(whole.state_dict())
    assert "backbone.features.transition2.norm.weight" in names
    assert not any("transition2.conv" in name or "denseblock3" in name for name in names)


def test_statistics_are_not_gathered_while_it_is_made_and_it_is_made_to_train() -> None:
    encoder = build_encoder("smp_densenet121", deepest=4)
    assert encoder.training and encoder.backbone.features.norm0.running_mean.abs().max() == 0


def test_what_it_cannot_be() -> None:
    assert len(SMP_POOLED) == 16
    with shapes_only():
        for options in ({"output_stride": 16}, {"drop_path": 0.1}, {"multi_grid": (1, 2)}):
            with pytest.raises(ModelError, match="smp_dpn68 is not dilated here"):
                build_encoder("smp_dpn68", **options)
        with pytest.raises(ModelError, match="has no features at stride 64"):
            build_encoder("smp_dpn68", deepest=64, output_stride=64)


@pytest.mark.parametrize("name", ["densenet121", "dpn68", "dpn68b", "xception", "inceptionv4", "inceptionresnetv2"])
def test_the_maps_are_those_of_smp(name: str) -> None:
    encoders = pytest.importorskip("segmentation_models_pytorch").encoders
    theirs = encoders.get_encoder(name, weights=None).eval()
    with shapes_only():
        ours = build_encoder(f"smp_{name}")
    torch.manual_seed(0)
    for key, value in theirs.named_buffers():
        if key.endswith("running_mean"):
            value.uniform_(-0.1, 0.1)
    ours.backbone.load_state_dict(theirs.state_dict(), assign=True)
    x = torch.randn(1, 3, 32, 64)
    with torch.inference_mode():
        maps, expected = ours.eval()(x), theirs(x)[1:]
    for found, wanted in zip(maps.values(), expected, strict=True):
        assert found.shape == wanted.shape and wanted.std() > 1e-6
        assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
