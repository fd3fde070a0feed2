"""SwiftNet: the published size, its pooled contexts and its ladder; and the short encoder that street-fast has."""

import pytest
import torch
from torch import nn

from intarsia.errors import ModelError
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders import build_encoder
from intarsia.models.image.swiftnet import ContextPyramid
from intarsia.models.shapes import shapes_only
from intarsia.models.weights import initialise

SHORT = "efficientnet_lite0_short"
FAST = {"encoder": SHORT, "channels": [64, 64, 32, 16], "grids": [1], "finest": 2, "separable": True}


def test_size_over_resnet18_is_the_published_one():
    """11.8 million parameters and 104.0 GMAC at 1024x2048 (the paper, table 1)."""
    with shapes_only():
        model = build("swiftnet", classes=19)
    assert parameters(model) == 11_795_667
    assert gmacs(model, (1024, 2048)) == pytest.approx(104.0, rel=0.005)


def test_the_fast_form_is_small():
    with shapes_only():
        model = build("swiftnet", classes=11, **FAST)
    assert parameters(model) == 476_731
    assert gmacs(model, (384, 480)) == pytest.approx(0.695, abs=0.001)


def test_contexts_are_averages_over_grids():
    torch.manual_seed(0)
    layer = ContextPyramid(6, 8, (2, 1)).eval()
    flat = torch.rand(1, 6, 1, 1).expand(1, 6, 8, 12)
    with torch.inference_mode():
        out = layer(flat)
        assert torch.allclose(out, out[:, :, :1, :1].expand_as(out), atol=1e-6)
        seen = []
        layer.fuse.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
        x = torch.rand(1, 6, 8, 12)
        layer(x)
        reduced = layer.reduce(x)
    assert [tuple(level[0].output_size for level in layer.levels), seen[0].shape[1]] == [(2, 1), 16]
    whole = layer.levels[1][1:](reduced.mean(dim=(2, 3), keepdim=True))
    assert torch.allclose(seen[0][:, 12:], whole.expand(-1, -1, 8, 12), atol=1e-5)


def test_a_rung_adds_the_finer_map_to_the_enlarged_coarser_one():
    torch.manual_seed(0)
    rung = build("swiftnet", classes=2, encoder="test_resnet", channels=16).eval().ladder[0]
    rung.lateral, rung.blend = nn.Identity(), nn.Identity()
    coarse, fine = torch.rand(1, 16, 3, 2), torch.rand(1, 16, 5, 4)
    expected = nn.functional.interpolate(coarse, size=(5, 4), mode="bilinear") + fine
    assert torch.allclose(rung(coarse, fine), expected)


def test_widths_of_the_ladder():
    model = build("swiftnet", classes=2, **FAST)
    assert [rung.lateral[0].out_channels for rung in model.ladder] == [64, 32, 16]
    with pytest.raises(ModelError, match=r"channels: one number, or one for each of .* \[16, 8, 4, 2\], not \[8, 8\]"):
        build("swiftnet", classes=2, **FAST | {"channels": [8, 8]})


@pytest.mark.parametrize("size", [(1, 1), (65, 43), (33, 100)])
def test_maps_of_the_short_encoder(size):
    encoder = build_encoder(SHORT).eval()
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 3, *size))
    assert {stage: features.shape[1] for stage, features in maps.items()} == {2: 16, 4: 24, 8: 40, 16: 112}
    assert all(
        maps[stage].shape[2:] == tuple(-(-side // stride) for side in size) for stage, stride in ((4, 4), (16, 16))
    )
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 443_632


def test_the_short_encoder_has_no_further_stages():
    for options in ({"deepest": 8}, {"output_stride": 8}):
        with pytest.raises(ModelError, match="has maps at strides 2, 4, 8 and 16, and cannot be dilated"):
            build_encoder(SHORT, **options)


def test_after_its_stem_the_short_encoder_is_lite0():
    """With lite0's weights, what follows stride 4 computes what lite0 computes there."""
    lite0 = build_encoder("efficientnet_lite0", deepest=16).eval()
    short = build_encoder(SHORT).eval()
    stem = short.backbone.conv_stem.weight.clone()
    short.load_pretrained(lite0.backbone.state_dict())
    assert torch.equal(short.backbone.conv_stem.weight, stem)
    x = torch.rand(1, 24, 12, 9)
    with torch.inference_mode():
        assert torch.equal(short.deepen({4: x})[8], lite0.deepen({4: x})[8])
    assert [len(blocks) for blocks in short.backbone.blocks[2:]] == [2, 2, 2]


def test_starts_from_the_bundled_model_by_name():
    model = build("swiftnet", classes=1, **FAST)
    before = model.encoder.backbone.conv_stem.weight.clone()
    said = initialise(model, "street", LabelSpace(("Car",)))
    assert torch.equal(model.encoder.backbone.conv_stem.weight, before)
    assert any("start new" in sentence for sentence in said)
