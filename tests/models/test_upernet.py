"""UPerNet: equal to the reference by copied weights, and the published cost."""

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.layers import PooledNorm
from intarsia.models.shapes import shapes_only

SMALL = {"encoder": "test_efficientnet", "channels": 16}


def test_model_equals_the_reference():
    """smp's UPerNet less the norms that it puts before its decoder, which are not in the paper."""
    torch.manual_seed(0)
    reference = smp.UPerNet("resnet18", encoder_weights=None, classes=5, decoder_channels=24)
    decoder = reference.decoder
    decoder.feature_norms = nn.ModuleList(nn.Identity() for _ in decoder.feature_norms)
    for name, tensor in reference.state_dict().items():
        if "running" in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif tensor.ndim == 1:
            tensor.add_(0.1 * torch.randn_like(tensor))
    own = build("upernet", classes=5, encoder="resnet18", channels=24, auxiliary=0)
    own.encoder.load_pretrained(reference.encoder.state_dict())
    pairs = [
        (own.pyramid.project, decoder.psp.out_conv),
        *zip(own.laterals, (block.conv_norm_relu for block in decoder.fpn_lateral_blocks), strict=True),
        *zip(own.smooths, decoder.fpn_conv_blocks, strict=True),
        (own.fuse, decoder.fusion_block),
        (own.head, reference.segmentation_head[0]),
    ]
    for branch, other in zip(own.pyramid.branches, decoder.psp.blocks, strict=True):
        pairs += [(branch[1], other[1][0]), (branch[2], other[1][1])]
    for module, other in pairs:
        module.load_state_dict(other.state_dict())
    assert sum(p.numel() for p in own.parameters()) == sum(p.numel() for p in reference.parameters())
    x = torch.randn(2, 3, 96, 160, dtype=torch.float64)
    reference.double().eval()
    own.double().eval()
    with torch.inference_mode():
        expected = reference.segmentation_head[0](decoder(reference.encoder(x)))
        found = own.logits(x)
    assert (found - expected).abs().max() < 1e-10 < expected.abs().max()


def test_cost_with_convnext_tiny_is_the_published_one():
    """939 GFLOPs (multiplications and additions counted once) at 512 x 2048 and 60M parameters (ConvNeXt, Table 4)."""
    with shapes_only():
        model = build("upernet", classes=150, encoder="convnext_tiny").eval()
        x = torch.zeros(1, 3, 512, 2048)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(x)
    assert counter.get_total_flops() / 2 == pytest.approx(939e9, rel=1e-3)
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(60e6, rel=0.01)


def test_auxiliary_head():
    model = build("upernet", classes=3, **SMALL)
    assert [output.weight for output in model.supervised(torch.rand(2, 3, 64, 64))] == [1.0, 0.4]
    model.auxiliary_head.register_forward_hook(lambda *_: pytest.fail("prediction does not need it"))
    model.eval().logits(torch.rand(1, 3, 64, 64))
    none = build("upernet", classes=3, auxiliary=0, **SMALL)
    assert [output.weight for output in none.supervised(torch.rand(2, 3, 64, 64))] == [1.0]
    assert not any(key.startswith("auxiliary") for key in none.state_dict())
    with pytest.raises(ModelError, match="no features at stride 12"):
        build("upernet", classes=3, auxiliary=12, **SMALL)


def test_pooled_norm_is_batch_norm_wherever_that_exists():
    torch.manual_seed(0)
    own, plain = PooledNorm(4), nn.BatchNorm2d(4)
    x = torch.randn(3, 4, 1, 1)
    assert torch.equal(own(x), plain(x))
    assert torch.equal(own(x[:1].expand(1, 4, 2, 2)), plain(x[:1].expand(1, 4, 2, 2)))
    assert torch.equal(own.running_mean, plain.running_mean)
    single = x[:1]
    assert torch.equal(own.train()(single), plain.eval()(single)), "a single value is normalised by the running ones"
    assert torch.equal(own.running_mean, plain.running_mean)
