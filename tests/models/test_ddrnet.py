"""DDRNet: the published sizes, its strides, and what its pyramid of contexts sees."""

import pytest
import torch

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.image.ddrnet import ContextAggregation
from intarsia.models.shapes import shapes_only

SMALL = {"width": 4, "context_channels": 8, "head_channels": 8}


@pytest.mark.parametrize(
    ("options", "count", "with_auxiliary", "published"),
    [
        ({}, 5_695_987, 5_734_342, 36.3),  # DDRNet-23-slim: 5.7 million
        ({"width": 64, "head_channels": 128}, 20_148_947, 20_299_366, 143.1),  # DDRNet-23: 20.1 million
    ],
    ids=["slim", "23"],
)
def test_sizes_are_the_published_ones(options, count, with_auxiliary, published):
    """Parameters without the head that only training has; multiply-accumulates at 1024x2048 (the paper, table IV)."""
    with shapes_only():
        predicting = build("ddrnet", classes=19, auxiliary=False, **options)
        training = build("ddrnet", classes=19, **options)
    assert parameters(predicting) == count
    assert parameters(training) == with_auxiliary
    assert gmacs(training, (1024, 2048)) == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (65, 43), (7, 300)])
def test_both_maps_are_at_stride_8(size):
    model = build("ddrnet", classes=2, **SMALL).eval()
    deepest = []
    model.encoder.last_coarse.register_forward_hook(lambda _, __, out: deepest.append(out.shape))
    with torch.inference_mode():
        fused, early = model.encoder(torch.rand(1, 3, *size))
    eighth, sixtyfourth = (tuple(-(-side // stride) for side in size) for stride in (8, 64))
    assert (fused.shape, early.shape) == ((1, 16, *eighth), (1, 8, *eighth))
    assert deepest == [(1, 64, *sixtyfourth)]


def test_the_widest_context_sees_the_whole_map():
    torch.manual_seed(0)
    layer = ContextAggregation(4, 6, 8).eval()
    x = torch.rand(1, 4, 9, 12, requires_grad=True)
    layer(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()
    contexts = []
    for scale in layer.scales:
        scale.register_forward_hook(lambda _, __, out: contexts.append(tuple(out.shape[2:])))
    layer(x)
    assert contexts == [(9, 12), (5, 6), (3, 3), (2, 2), (1, 1)]


def test_the_auxiliary_head_is_for_training_alone():
    model = build("ddrnet", classes=3, **SMALL)
    outputs = model.supervised(torch.rand(2, 3, 64, 64))
    assert [(tuple(each.logits.shape), each.weight) for each in outputs] == [
        ((2, 3, 64, 64), 1.0),
        ((2, 3, 64, 64), 0.4),
    ]
    model.auxiliary_head.register_forward_hook(lambda *_: pytest.fail("prediction does not need it"))
    model.eval().logits(torch.rand(1, 3, 64, 64))
    assert len(build("ddrnet", classes=3, auxiliary=False, **SMALL).supervised(torch.rand(2, 3, 64, 64))) == 1


def test_width():
    with pytest.raises(ModelError, match=r"ddrnet: width is at least 1 \(32 in DDRNet-23-slim\), not 0"):
        build("ddrnet", classes=2, width=0)
