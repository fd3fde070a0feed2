"""LR-ASPP and torchvision's MobileNetV3."""

import pytest
import timm
import torch
from torch import nn

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders import build_encoder
from intarsia.models.shapes import shapes_only

NAME = "torchvision_mobilenet_v3_large"


def test_lraspp_has_torchvisions_size():
    with shapes_only():
        model = build("lraspp", classes=21)
    assert parameters(model) == 3_221_538
    assert parameters(model.encoder) == 2_971_952
    assert gmacs(model, (520, 520)) == pytest.approx(2.086, abs=0.001)


@pytest.mark.parametrize("stride", [16, 32])
def test_mobilenet_stages(stride):
    encoder = build_encoder(NAME, in_channels=5, output_stride=stride).eval()
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 5, 65, 33))
    assert encoder.channels == {2: 16, 4: 24, 8: 40, 16: 112, 32: 960}
    assert {stage: features.shape[1] for stage, features in maps.items()} == encoder.channels
    for stage, features in maps.items():
        assert tuple(features.shape[2:]) == (-(-65 // min(stage, stride)), -(-33 // min(stage, stride)))
    depthwise = [m for m in encoder.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert [conv.dilation[0] for conv in depthwise[-4:]] == ([1, 2, 2, 2] if stride == 16 else [1, 1, 1, 1])


def test_mobilenet_takes_timms_weights():
    """Tensor by tensor in order; with timm's constant in batch-norm the maps are timm's."""
    torch.manual_seed(0)
    reference = timm.create_model("mobilenetv3_large_100", features_only=True).eval()
    whole = timm.create_model("mobilenetv3_large_100")
    for name, buffer in whole.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, std=0.1)
        elif name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    state = whole.state_dict()
    reference.load_state_dict({key: state[key] for key in reference.state_dict()})
    encoder = build_encoder(NAME).eval()
    encoder.load_pretrained(state)
    for norm in encoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 1e-5
    x = torch.randn(1, 3, 65, 97)
    with torch.inference_mode():
        expected = dict(zip((2, 4, 8, 16, 32), reference(x), strict=True))
        maps = encoder(x)
        maps[8] = encoder.features[5:7](maps[8])  # timm gives the stage's last block, torchvision's taps its first
    assert all(torch.allclose(maps[stage], expected[stage], atol=1e-5) for stage in expected)
    assert maps[32].abs().max() > 0.01


def test_mobilenet_refuses_what_it_has_not():
    with pytest.raises(ModelError, match="output stride 32 or 16, not 8"):
        build_encoder(NAME, output_stride=8)
    with pytest.raises(ModelError, match="neither drop_path nor multi_grid"):
        build_encoder(NAME, drop_path=0.1)
    with pytest.raises(ModelError, match="weights for 'torchvision_mobilenet_v3_large' lack"):
        build_encoder(NAME).load_pretrained(timm.create_model("test_resnet").state_dict())


def test_lraspp_is_its_definition():
    """Scores of the gated deep map, resized, plus scores of the low map (figure 10 of the paper)."""
    torch.manual_seed(0)
    model = build("lraspp", classes=3, encoder="test_resnet", channels=16).eval()
    x = torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        maps = model.encoder(x)
        gate = torch.sigmoid(model.gate(nn.functional.adaptive_avg_pool2d(maps[32], 1)))
        deep = nn.functional.interpolate(model.project(maps[32]) * gate, size=(7, 9), mode="bilinear")
        expected = model.low_head(maps[8]) + model.head(deep)
        assert torch.allclose(model.logits(x), expected, atol=1e-6)
