"""PIDNet: the published sizes, its strides, and who decides between its branches."""

import pytest
import torch

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.image.pidnet import Fusion, Guide, LightFusion, ParallelAggregation
from intarsia.models.shapes import shapes_only

SMALL = {"width": 4, "context_channels": 8, "head_channels": 8}


@pytest.mark.parametrize(
    ("options", "count", "with_auxiliary", "published"),
    [
        ({}, 7_625_715, 7_702_278, 47.6),
        ({"width": 64, "blocks": [2, 4]}, 34_439_827, 34_590_246, 197.4),
        (
            {"width": 64, "blocks": [3, 4], "context_channels": 112, "head_channels": 256},
            36_939_571,
            37_240_134,
            275.8,
        ),
    ],
    ids=["S", "M", "L"],
)
def test_sizes_are_the_published_ones(options, count, with_auxiliary, published):
    """7.6, 34.4 and 36.9 million without what only training has; multiply-accumulates at 1024x2048 (table 6).

    The paper's count operations of norms as well, which are a hundredth of all at most.
    """
    with shapes_only():
        predicting = build("pidnet", classes=19, auxiliary=False, **options)
        training = build("pidnet", classes=19, **options)
    assert parameters(predicting) == count
    assert parameters(training) == with_auxiliary
    assert gmacs(training, (1024, 2048)) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("blocks", [[2, 3], [3, 4]])
@pytest.mark.parametrize("size", [(1, 1), (65, 43), (7, 300)])
def test_both_maps_are_at_stride_8(size, blocks):
    model = build("pidnet", classes=2, blocks=blocks, **SMALL).eval()
    deepest = []
    model.encoder.last_context.register_forward_hook(lambda _, __, out: deepest.append(out.shape))
    with torch.inference_mode():
        fused, early = model.encoder(torch.rand(1, 3, *size))
    eighth, sixtyfourth = (tuple(-(-side // stride) for side in size) for stride in (8, 64))
    assert (fused.shape, early.shape) == ((1, 16, *eighth), (1, 8, *eighth))
    assert deepest == [(1, 64, *sixtyfourth)]


def test_the_guide_takes_the_context_where_both_agree():
    guide = Guide(2, 2).eval()
    for part in (guide.of_detail, guide.of_context):
        torch.nn.init.eye_(part[0].weight.data.view(2, 2))
        part[1].eps = 0.0
    detail = torch.tensor([[40.0, -40.0], [0.0, 0.0]]).reshape(1, 2, 1, 2)
    context = torch.tensor([40.0, 7.0]).reshape(1, 2, 1, 1)
    out = guide(detail, context)
    assert torch.equal(out[0, :, 0, 0], torch.tensor([40.0, 7.0])), "alike: the context"
    assert torch.equal(out[0, :, 0, 1], torch.tensor([-40.0, 0.0])), "unlike: the detail stays"


def test_edges_decide_between_detail_and_context():
    torch.manual_seed(0)
    detail, context = torch.rand(1, 4, 3, 3), torch.rand(1, 4, 3, 3)
    edge, flat = torch.full_like(detail, 200.0), torch.full_like(detail, -200.0)
    fusion = Fusion(4).eval()
    assert torch.equal(fusion(detail, context, edge), fusion.join(detail))
    assert torch.equal(fusion(detail, context, flat), fusion.join(context))
    light = LightFusion(4).eval()
    at_edges = light.of_detail(detail) + light.of_context(context + detail)
    elsewhere = light.of_detail(context + detail) + light.of_context(context)
    assert torch.allclose(light(detail, context, edge), at_edges)
    assert torch.allclose(light(detail, context, flat), elsewhere)


def test_contexts_are_refined_apart_and_see_the_whole_map():
    torch.manual_seed(0)
    layer = ParallelAggregation(4, 6, 8).eval()
    assert layer.joins[-1].groups == 4
    x = torch.rand(1, 4, 9, 12, requires_grad=True)
    layer(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_the_auxiliary_head_is_for_training_alone():
    model = build("pidnet", classes=3, **SMALL)
    outputs = model.supervised(torch.rand(2, 3, 64, 64))
    assert [(tuple(each.logits.shape), each.weight) for each in outputs] == [
        ((2, 3, 64, 64), 1.0),
        ((2, 3, 64, 64), 0.4),
    ]
    model.auxiliary_head.register_forward_hook(lambda *_: pytest.fail("prediction does not need it"))
    model.eval().logits(torch.rand(1, 3, 64, 64))
    assert len(build("pidnet", classes=3, auxiliary=False, **SMALL).supervised(torch.rand(2, 3, 64, 64))) == 1


@pytest.mark.parametrize("options", [{"width": 0}, {"blocks": [2]}, {"blocks": [0, 3]}])
def test_width_and_blocks(options):
    with pytest.raises(ModelError, match=r"pidnet: width is at least 1, and blocks are two numbers from 1 on"):
        build("pidnet", classes=2, **options)
