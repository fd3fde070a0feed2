"""BiSeNetV2: the paper's layout, and what its parts promise."""

import pytest
import torch
from torch import nn

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.image.bisenetv2 import _GatherAndExpand, _GuidedAggregation
from intarsia.models.shapes import shapes_only

SMALL = {"width": 0.125, "head_channels": 8, "auxiliary_channels": 8}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_layout_of_the_papers_table():
    with shapes_only():
        model = build("bisenetv2", classes=19)
    detail = [module for module in model.encoder.detail.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.out_channels for conv in detail] == [64, 64, 64, 64, 64, 128, 128, 128]
    assert [conv.stride[0] for conv in detail] == [2, 1, 2, 1, 1, 2, 1, 1]
    assert model.encoder.semantic_channels == [16, 32, 64, 128]
    layers = [[type(layer) for layer in stage] for stage in list(model.encoder.semantic)[1:]]
    assert layers == [[_GatherAndExpand] * depth for depth in (2, 2, 4)]


def test_parameter_counts():
    with shapes_only():
        model = build("bisenetv2", classes=19)
        predicting = build("bisenetv2", classes=19, auxiliary_channels=0)
    assert count(model.encoder.detail) == 519_232
    assert count(predicting) == 3_358_627
    assert count(model) - count(predicting) == 287_308  # four heads that only training runs


def test_expansion_by_six():
    layer = _GatherAndExpand(8, 12, stride=2)
    shapes = [tuple(module.weight.shape) for module in layer.residual.modules() if isinstance(module, nn.Conv2d)]
    assert shapes == [(8, 8, 3, 3), (48, 1, 3, 3), (48, 1, 3, 3), (12, 48, 1, 1)]
    assert [tuple(m.weight.shape) for m in layer.shortcut if isinstance(m, nn.Conv2d)] == [(8, 1, 3, 3), (12, 8, 1, 1)]
    assert isinstance(_GatherAndExpand(8, 8).shortcut, nn.Identity)


@pytest.mark.parametrize("size", [(1, 1), (65, 43), (7, 300)])
def test_strides_of_the_maps(size):
    model = build("bisenetv2", classes=2, **SMALL).eval()
    with torch.inference_mode():
        fused, stages = model.encoder(torch.rand(1, 3, *size))
        logits = model.logits(torch.rand(1, 3, *size))
    for features, stride in zip((fused, *stages, logits), (8, 4, 8, 16, 32, 8), strict=True):
        assert features.shape[2:] == tuple(-(-side // stride) for side in size)


def test_aggregation_is_anchored_at_the_first_pixel():
    """Maps of a tile that starts four detail cells (one semantic cell) later give the same values, odd sizes or not."""
    torch.manual_seed(0)
    layer = _GuidedAggregation(6).eval()
    detail, semantic = torch.rand(1, 6, 35, 30), torch.rand(1, 6, 9, 8)
    with torch.inference_mode():
        whole = layer(detail, semantic)
        tile = layer(detail[:, :, 4:, 8:], semantic[:, :, 1:, 2:])
    assert whole.shape == (1, 6, 35, 30)
    assert (whole[:, :, 4 + 16 :, 8 + 16 :] - tile[:, :, 16:, 16:]).abs().max() < 1e-5


def test_each_branch_gates_the_other():
    """With closed gates nothing of the detail branch is left, at either stride."""
    torch.manual_seed(0)
    layer = _GuidedAggregation(4).eval()
    nn.init.constant_(layer.semantic_up[1].bias, -100)
    layer.semantic_here[1].weight.data.zero_()
    detail, semantic = torch.rand(1, 4, 16, 16), torch.rand(1, 4, 4, 4)
    with torch.inference_mode():
        half_open = layer(detail, semantic)
        nn.init.constant_(layer.detail_down[1].weight, 0)
        closed = layer(detail, semantic)
        same = layer(torch.rand(1, 4, 16, 16), semantic)
    assert not torch.allclose(half_open, closed)
    assert torch.equal(closed, same)


def test_boosters_run_in_training_only():
    torch.manual_seed(0)
    model = build("bisenetv2", classes=3, **SMALL)
    outputs = model.supervised(torch.rand(2, 3, 64, 64))
    assert [output.weight for output in outputs] == [1.0] * 5
    assert all(output.logits.shape == (2, 3, 64, 64) for output in outputs)
    for head in model.auxiliary_heads:
        head.register_forward_hook(lambda *_: pytest.fail("prediction does not need it"))
    model.eval().logits(torch.rand(1, 3, 64, 64))
    alone = build("bisenetv2", classes=3, **SMALL | {"auxiliary_channels": 0})
    assert len(alone.supervised(torch.rand(2, 3, 64, 64))) == 1


def test_both_branches_train_at_the_encoders_rate():
    model = build("bisenetv2", classes=3, **SMALL)
    outside = {key.partition(".")[0] for key in model.state_dict()} - {"encoder"}
    assert outside == {"head", "auxiliary_heads"}


def test_width():
    with shapes_only():
        assert build("bisenetv2", classes=2, width=2).encoder.semantic_channels == [32, 64, 128, 256]
    with pytest.raises(ModelError, match=r"width 0.05 leaves the stem less than 2 channels; use at least 0.125"):
        build("bisenetv2", classes=2, width=0.05)
