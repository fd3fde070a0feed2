"""SegFormer and its encoder: equal to the reference by copied weights, and the paper's sizes and costs."""

import pytest
import segmentation_models_pytorch as smp
import torch
from torch.utils.flop_counter import FlopCounterMode

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.encoders import build_encoder
from intarsia.models.shapes import shapes_only

# encoder, decoder width, parameters in millions of the whole (Xie et al. 2021, Table 1, and the released models)
PUBLISHED = [
    ("mit_b0", 256, 3.8),
    ("mit_b1", 256, 13.7),
    ("mit_b2", 768, 27.5),
    ("mit_b3", 768, 47.3),
    ("mit_b4", 768, 64.1),
    ("mit_b5", 768, 84.7),
]


def shaken(module):
    """Weights and norm statistics that all matter, precise enough to tell 1e-5 in a norm from 1e-6."""
    torch.manual_seed(0)
    for name, tensor in module.state_dict().items():
        if "running" in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif tensor.is_floating_point():
            tensor.add_(0.03 * torch.randn_like(tensor))
    return module.double().eval()


@pytest.fixture(scope="module")
def reference():
    model = smp.Segformer("mit_b0", encoder_weights=None, classes=5, decoder_segmentation_channels=24)
    return shaken(model)


# the last two are no multiples of 32: convolutions of the attention leave incomplete rows and columns out
@pytest.mark.parametrize("size", [(64, 96), (72, 104), (75, 133)])
def test_encoder_equals_the_reference(reference, size):
    own = build_encoder("mit_b0").double().eval()
    own.load_pretrained(reference.encoder.state_dict())
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.inference_mode():
        expected, maps = reference.encoder(x), own(x)
    assert list(maps) == [4, 8, 16, 32]
    for features, found in zip(expected[2:], maps.values(), strict=True):
        assert (found - features).abs().max() < 1e-10 < features.abs().max()


def test_model_equals_the_reference(reference):
    """The decoder fuses before it enlarges, which is the paper's decoder exactly."""
    own = build("segformer", classes=5, channels=24).double().eval()
    own.encoder.load_pretrained(reference.encoder.state_dict())
    decoder = reference.decoder
    fuse, norm, _ = decoder.fuse_stage
    kernels = fuse.weight.chunk(4, dim=1)
    with torch.no_grad():
        for stage, kernel in enumerate(kernels):  # both from deep to shallow
            linear = decoder.mlp_stage[stage].linear
            own.linears[3 - stage].weight.copy_(linear.weight[:, :, None, None])
            own.linears[3 - stage].bias.copy_(linear.bias)
            own.fusions[3 - stage].weight.copy_(kernel)
    own.norm.load_state_dict(norm.state_dict())
    own.head.load_state_dict(reference.segmentation_head[0].state_dict())
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.inference_mode():
        expected = reference.segmentation_head[0](decoder(reference.encoder(x)))
        found = own.logits(x)
    assert (found - expected).abs().max() < 1e-10 < expected.abs().max()


@pytest.mark.parametrize(("encoder", "channels", "millions"), PUBLISHED)
def test_published_parameter_counts(encoder, channels, millions):
    with shapes_only():
        model = build("segformer", classes=150, encoder=encoder, channels=channels)
    assert abs(sum(parameter.numel() for parameter in model.parameters()) / 1e6 - millions) < 0.05


def test_parameters_of_b0():
    with shapes_only():
        model = build("segformer", classes=150)
    encoder = sum(parameter.numel() for parameter in model.encoder.parameters())
    assert encoder == 3_319_392
    assert sum(parameter.numel() for parameter in model.parameters()) - encoder == 433_302


def test_cost_is_the_papers_less_what_the_order_of_the_decoder_saves():
    """8.4 GMAC at 512 x 512 (Table 1), of which fusing at stride 4 takes 4.3; fusing at each stage's stride, 1.4."""
    with shapes_only():
        model = build("segformer", classes=150).eval()
        x = torch.zeros(1, 3, 512, 512)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(x)
    at_stride_4 = 4 * 128**2 * 256**2
    own = sum((512 // stride) ** 2 for stride in (4, 8, 16, 32)) * 256**2
    assert counter.get_total_flops() / 2 == 5_518_917_632
    assert abs(counter.get_total_flops() / 2 + at_stride_4 - own - 8.4e9) < 0.05e9


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (29, 31), (33, 65)])
def test_maps_have_the_stride_of_their_stage(size):
    encoder = build_encoder("mit_b0", in_channels=2).eval()
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 2, *size))
    for stride, features in maps.items():
        assert features.shape == (1, encoder.channels[stride], *(-(-side // stride) for side in size))
        assert torch.isfinite(features).all()


def test_stochastic_depth_grows_from_the_first_block_to_the_last():
    with shapes_only():
        encoder = build_encoder("mit_b0", drop_path=0.7)
    rates = [block.drop_path.drop_prob for stage in encoder.stages for block in stage.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def test_every_branch_can_be_dropped():
    torch.manual_seed(0)
    encoder = build_encoder("mit_b0", drop_path=1.0).train()
    last = encoder.stages[-1].blocks[-1]
    x = torch.rand(2, 3, 5, 256)
    assert torch.equal(last(x), x)
    assert not torch.equal(last.eval()(x), x)


def test_mix_transformers_cannot_be_dilated():
    with pytest.raises(ModelError, match=r"'mit_b0' is a transformer, which cannot be dilated; use output_stride=32"):
        build_encoder("mit_b0", output_stride=16)
    with pytest.raises(ModelError, match="without multi_grid"):
        build_encoder("mit_b0", multi_grid=(1, 2))


@pytest.mark.parametrize(
    ("name", "options"), [("unet", {"channels": (16, 8, 8)}), ("upernet", {"channels": 16}), ("gcn", {"kernel": 3})]
)
def test_other_decoders_take_a_mix_transformer(name, options):
    model = build(name, classes=2, encoder="mit_b0", **options).eval()
    with torch.inference_mode():
        assert model(torch.rand(1, 3, 40, 56)).shape == (1, 2, 40, 56)


def test_segformer_takes_other_encoders():
    model = build("segformer", classes=2, encoder="test_convnext", channels=16, dropout=1.0)
    assert [linear.in_channels for linear in model.linears] == list(model.encoder.channels.values())
    bias = model.head.bias
    with torch.no_grad():
        logits = model.train().logits(torch.rand(2, 3, 64, 64))
    assert torch.equal(logits, bias[:, None, None].expand(2, 2, 16, 16)), "all the channels are dropped"
