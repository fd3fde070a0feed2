"""U-Net: the published network number by number, and today's form in its variants."""

import math
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from intarsia.errors import ModelError, UsageError
from intarsia.models import build
from intarsia.models.layers import PooledNorm
from intarsia.models.shapes import shapes_only


def original(**options):
    """A narrow published U-Net in float64, with which differences are exact."""
    torch.manual_seed(0)
    return build("unet_original", classes=2, **{"width": 4} | options).double().eval()


def sides_of(model, x):
    """The side of every block's input and output maps in the order in which they run."""
    sides = []

    def note(_, inputs, output):
        sides.extend([inputs[0].shape[2], output.shape[2]])

    for block in [*model.encoder, *model.steps]:
        block.register_forward_hook(note)
    model.valid(x)
    return sides


def test_published_sizes_parameters_and_layers():
    with shapes_only():
        model = build("unet_original", classes=2)
        x = torch.empty(1, 1, 572, 572)
        with FlopCounterMode(display=False) as counter:
            assert model.valid(x).shape == (1, 2, 388, 388)
        down = [572, 568, 284, 280, 140, 136, 68, 64, 32, 28]
        assert sides_of(model, x) == [*down, 56, 52, 104, 100, 200, 196, 392, 388]
    assert sum(parameter.numel() for parameter in model.parameters()) == 31_030_658
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 23
    assert [conv.kernel_size for conv in convolutions].count((3, 3)) == 18
    assert [conv.kernel_size for conv in convolutions].count((2, 2)) == 4
    assert counter.get_total_flops() / 2e9 == pytest.approx(150.4, abs=0.05)
    widths = [level[0].out_channels for level in model.encoder]
    assert widths == [64, 128, 256, 512, 1024]


def test_skips_are_cropped_by_4_16_40_and_88():
    """The first channels that a step of the decoder gets are the middle of its level's map."""
    model = original(norm=True)
    given, made = [], []
    for level in model.encoder[:-1]:
        level.register_forward_hook(lambda _, inputs, output: made.append(output))
    for step in model.steps:
        step.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    model.valid(torch.rand(1, 1, 188, 188, dtype=torch.float64))
    for crop, joined, skip in zip((4, 16, 40, 88), given, reversed(made), strict=True):
        side = skip.shape[2] - 2 * crop
        assert joined.shape[2] == side
        assert torch.equal(joined[:, : skip.shape[1]], skip[:, :, crop : crop + side, crop : crop + side])


@pytest.mark.parametrize("side", [188, 204, 220])
def test_valid_sizes(side):
    with shapes_only():
        model = build("unet_original", classes=2, width=1)
        assert model.valid(torch.empty(1, 1, side, 188)).shape == (1, 2, side - 184, 4)
        with pytest.raises(UsageError, match=rf"12 more than a multiple of 16\), not 188 x {side + 8}"):
            model.valid(torch.empty(1, 1, 188, side + 8))
        with pytest.raises(UsageError, match="not 172 x 188"):
            model.valid(torch.empty(1, 1, 172, 188))


def reach(output, x, row):
    """First and last row of `x` that decide row `row` of `output`, and so its receptive field."""
    side = output.shape[2]
    (gradient,) = torch.autograd.grad(output[0, 0, row, side // 2], x, retain_graph=True)
    rows = gradient[0, 0].abs().sum(1).nonzero().ravel()
    return int(rows[0]), int(rows[-1])


@pytest.fixture
def dense(monkeypatch):
    """A network of which every input in the receptive field shows in the gradient, and its input."""
    monkeypatch.setattr(F, "max_pool2d", lambda x, kernel, ceil_mode: F.avg_pool2d(x, kernel, ceil_mode=ceil_mode))
    model = original(width=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    return model, torch.rand(1, 1, 220, 220, dtype=torch.float64, requires_grad=True)


def test_receptive_field_of_the_bottom_is_140(dense):
    model, x = dense
    bottom = []
    model.encoder[-1].register_forward_hook(lambda _, inputs, output: bottom.append(output))
    model.valid(x)
    first, last = reach(bottom[0], x, 1)
    assert last - first + 1 == 140


def test_an_output_depends_on_204_pixels_and_never_beyond_the_margin(dense):
    model, x = dense
    out = model.valid(x)
    found = [reach(out, x, row) for row in range(4, 20)]  # one whole period of the poolings
    assert {last - first + 1 for first, last in found} == {188, 204}
    before = [row + 92 - first for row, (first, _) in enumerate(found, start=4)]
    after = [last - row - 92 for row, (_, last) in enumerate(found, start=4)]
    assert max(before) == max(after) == model.margin == 107


def test_every_weight_is_drawn_as_he_et_al_say():
    torch.manual_seed(0)
    model = build("unet_original", classes=64, width=32)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # Each place of an up-convolution's output is met by one place of the kernel only.
            incoming = module.in_channels * (
                1 if isinstance(module, nn.ConvTranspose2d) else module.kernel_size[0] ** 2
            )
            expected, count = math.sqrt(2 / incoming), module.weight.numel()
            assert module.weight.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * count)), name
            assert abs(module.weight.mean().item()) < 5 * expected / math.sqrt(count), name
            assert not module.bias.any(), name


def test_activations_keep_their_size_from_input_to_head():
    """That is what the initialisation is for: no layer makes the signal vanish or explode."""
    torch.manual_seed(0)
    model = build("unet_original", classes=2, width=16, dropout=0.0)
    squares = []
    for block in [*model.encoder, *model.steps]:
        block.register_forward_hook(lambda _, inputs, output: squares.append(output.square().mean().item()))
    with torch.no_grad():
        model.valid(torch.randn(1, 1, 188, 188))
    assert all(0.2 < square < 20 for square in squares)


def test_dropout_ends_the_fourth_and_the_deepest_level():
    torch.manual_seed(0)
    model = build("unet_original", classes=2, width=2)
    found = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    assert found == {"encoder.3.4": 0.5, "encoder.4.4": 0.5}
    assert [type(layer) for layer in model.encoder[3]] == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.Dropout]
    # It comes before the level's map is taken to the decoder.
    joined = []
    model.steps[0].register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0][:, :16]))
    x = torch.rand(1, 1, 188, 188)
    with torch.no_grad():
        model.train().valid(x)
        model.eval().valid(x)
    dropped, whole = joined
    alive = whole != 0
    assert (dropped[alive] == 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.allclose(dropped[alive & (dropped != 0)], 2 * whole[alive & (dropped != 0)])


@pytest.mark.parametrize("size", [(4, 20), (100, 141), (93, 30)])
def test_logits_are_those_of_the_mirrored_picture(size):
    model = original()
    x = torch.rand(1, 1, *size, dtype=torch.float64)
    height, width = (side + (4 - side) % 16 for side in size)
    padded = x
    # Reflection of torch reaches as far as the picture; what is smaller is reflected again.
    while padded.shape[2] < height + 92:
        padded = F.pad(padded, (0, 0, 0, min(padded.shape[2] - 1, height + 92 - padded.shape[2])), mode="reflect")
    while padded.shape[3] < width + 92:
        padded = F.pad(padded, (0, min(padded.shape[3] - 1, width + 92 - padded.shape[3]), 0, 0), mode="reflect")
    padded = F.pad(padded, (92, 0, 92, 0), mode="reflect")
    with torch.no_grad():
        expected = model.valid(padded)[:, :, : size[0], : size[1]]
        assert torch.allclose(model.logits(x), expected, atol=1e-12)


def test_one_pixel_is_its_own_surrounding():
    model = original()
    with torch.no_grad():
        expected = model.valid(torch.full((1, 1, 188, 188), 0.3, dtype=torch.float64))[:, :, :1, :1]
        assert torch.allclose(model.logits(torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)), expected, atol=1e-12)


def test_padding_same_keeps_the_weights_and_needs_no_border():
    valid, same = original(), original(padding="same")
    assert valid.state_dict().keys() == same.state_dict().keys()
    assert same.margin == 0
    same.load_state_dict(valid.state_dict())
    x = torch.rand(1, 1, 412, 412, dtype=torch.float64)
    with torch.no_grad():
        # Far from the border its zeros do not matter. Two convolutions at strides 1, 2, 4 and 8 have moved the valid
        # network's poolings by 2 + 4 + 8 + 16 = 30 pixels, 14 of their period.
        inner = same(x[:, :, 14:, 14:])[:, :, 112:272, 112:272]
        assert torch.allclose(inner, valid.valid(x)[:, :, 34:194, 34:194], atol=1e-12)
    with pytest.raises(UsageError, match='built with padding="same"'):
        same.valid(x)


def test_norm_stands_between_convolution_and_relu():
    model = build("unet_original", classes=2, width=2, norm=True)
    kinds = [nn.Conv2d, PooledNorm, nn.ReLU] * 2
    assert [type(layer) for layer in model.encoder[0]] == [type(layer) for layer in model.steps[3]] == kinds
    assert model.encoder[0][0].bias is None


def today(**options):
    torch.manual_seed(0)
    return build("unet", classes=3, **{"encoder": "test_resnet", "channels": (16, 16, 8, 8)} | options).eval()


@pytest.mark.parametrize("up", ["bilinear", "nearest", "deconv"])
@pytest.mark.parametrize("channels", [(16, 16, 8, 8), (16, 16, 8, 8, 4)])
@pytest.mark.parametrize("size", [(64, 96), (37, 51)])
def test_every_way_up_gives_logits_of_the_right_size(up, channels, size):
    model = today(up=up, channels=channels)
    stride = 1 if len(channels) == 5 else 2
    with torch.no_grad():
        logits = model.logits(torch.rand(1, 3, *size))
    assert logits.shape == (1, 3, *(-(-side // stride) for side in size))


def test_ways_up_differ_in_how_the_deep_map_is_enlarged():
    models = {up: today(up=up) for up in ("bilinear", "nearest", "deconv")}  # one seed: the encoders are equal
    deconvs = models["deconv"].deconvs
    assert [(conv.kernel_size, conv.stride, conv.out_channels) for conv in deconvs] == [
        ((2, 2), (2, 2), width) for width in (16, 16, 8, 8)
    ]
    assert models["bilinear"].state_dict().keys() == models["nearest"].state_dict().keys()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        maps = models["bilinear"].encoder(x)
        enlarged = {
            "bilinear": F.interpolate(maps[32], scale_factor=2, mode="bilinear"),
            "nearest": maps[32].repeat_interleave(2, 2).repeat_interleave(2, 3),
            "deconv": deconvs[0](maps[32]),
        }
        for up, model in models.items():
            joined = []
            model.steps[0].register_forward_pre_hook(lambda _, inputs, joined=joined: joined.append(inputs[0]))
            model.logits(x)
            assert torch.allclose(joined[0], torch.cat([enlarged[up], maps[16]], dim=1), atol=1e-6), up


def test_options_that_cannot_be_built():
    with pytest.raises(ModelError, match=r"up cannot be 'nearst'. Did you mean 'nearest'"):
        today(up="nearst")
    with pytest.raises(ModelError, match="head_kernel must be odd"):
        today(head_kernel=2)
    with pytest.raises(ModelError, match=r"as many entries, or up to 5 to go on .* not 3"):
        today(channels=(8, 8, 8))
    with pytest.raises(ModelError, match=r"padding cannot be 'Same'. Did you mean 'same'"):
        build("unet_original", classes=2, padding="Same")


@pytest.mark.parametrize("size", [(64, 96), (50, 75)])
def test_smp_weights_give_smps_logits(size):
    smp = pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(0)
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=3).train()
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
        for _ in range(10):
            theirs(torch.rand(4, 3, 64, 64))  # statistics of norms that keep the signal alive
        theirs.eval()
    channels = (256, 128, 64, 32, 16)
    ours = build("unet", classes=3, encoder="resnet18", channels=channels, up="nearest", head_kernel=3).eval()
    state = {}
    for key, value in theirs.state_dict().items():
        key = re.sub(r"^decoder\.blocks\.(\d)\.conv([12])", lambda at: f"steps.{at[1]}.{int(at[2]) - 1}", key)
        state[re.sub(r"^segmentation_head\.0", "head", re.sub(r"^encoder", "encoder.backbone", key))] = value
    ours.load_state_dict(state)
    theirs.check_input_shape = lambda x: None  # it refuses sizes that its layers can take
    x = torch.rand(2, 3, *size)
    with torch.no_grad():
        assert (ours(x) - theirs(x)).abs().max() <= 1e-5
        assert theirs(x).std() > 0.1
