"""FCN over VGG16 as published, and in today's form over dilated encoders."""

import functools
from bisect import bisect_left

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from intarsia.bundle import Bundle
from intarsia.errors import ModelError
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders.vgg import VGG16
from intarsia.models.layers import BilinearDeconv, FCNHead, bilinear_kernel
from intarsia.models.shapes import shapes_only
from intarsia.models.weights import initialise
from intarsia.preprocessing import Preprocessing

ORIGINALS = ("fcn32s", "fcn16s", "fcn8s", "fcn8s_at_once")
TINY = {"base": 1, "width": 2}


def tiny(name, classes=2, **options):
    """A very narrow network with scores that are not zero."""
    model = build(name, classes=classes, **TINY | options).eval()
    for parameter in model.score.parameters():
        nn.init.normal_(parameter)
    return model


def test_published_parameter_counts():
    """FCN-32s, 16s and 8s of 21 classes; fixed deconvolutions have no parameters."""
    with shapes_only():
        counts = {name: parameters(build(name, classes=21)) for name in ORIGINALS}
        learned = parameters(build("fcn8s", classes=21, learned_upsampling=True))
    assert counts == {
        "fcn32s": 134_346_581,
        "fcn16s": 134_357_354,
        "fcn8s": 134_362_751,
        "fcn8s_at_once": 134_362_751,
    }
    assert learned - counts["fcn8s"] == 21 * (4 * 4 + 4 * 4 + 16 * 16)


def test_padding_is_a_good_part_of_the_work():
    with shapes_only():
        paper, light = (gmacs(build("fcn8s", classes=21, padding=padding), (375, 500)) for padding in (100, 1))
    assert paper == pytest.approx(146.35, abs=0.01)
    assert light / paper == pytest.approx(0.55, abs=0.01)


@pytest.mark.parametrize("padding", [100, 1])
@pytest.mark.parametrize("name", ORIGINALS)
def test_logits_have_the_size_of_the_input(name, padding):
    torch.manual_seed(0)
    model = tiny(name, padding=padding)
    sizes = [(side, side) for side in range(1, 41)]
    sizes += torch.randint(1, 200, (10, 2)).tolist()
    with torch.inference_mode():
        assert all(model.logits(torch.rand(1, 3, *size)).shape == (1, 2, *size) for size in sizes)


@pytest.mark.parametrize("padding", [100, 1])
def test_logits_have_the_size_of_large_inputs(padding):
    with shapes_only():
        model = build("fcn8s", classes=2, **TINY, padding=padding)
        sizes = [(height, 2001 - height) for height in range(1, 2001, 61)]
        assert all(model.logits(torch.empty(1, 3, *size)).shape[2:] == size for size in sizes)


@functools.cache
@torch.inference_mode()
def seen_columns(stage, padding, step=0, width=700):
    """First and last column of the input that reach a cell in the middle of a stage's map, or the cell `step` on.

    With positive weights and without biases, a map is positive exactly where it sees something that is not zero.
    """
    encoder = build("fcn32s", classes=1, **TINY, padding=padding).eval().encoder
    for key, parameter in encoder.named_parameters():
        nn.init.constant_(parameter, 0.0 if key.endswith("bias") else 1.0)

    def sees(columns):
        x = torch.zeros(1, 3, 1, width)
        x[..., columns] = 1
        return bool(encoder(x)[stage][0, 0, :, 448 // stage + step].any())

    columns = range(width)
    first = bisect_left(columns, True, key=lambda column: sees(slice(0, column + 1)))
    last = bisect_left(columns, True, key=lambda column: not sees(slice(column, width))) - 1
    return first, last


def test_receptive_field_and_stride():
    """404 pixels at a stride of 32 (FCN, table 1)."""
    first, last = seen_columns(32, padding=100)
    assert last - first + 1 == 404
    assert seen_columns(32, padding=100, step=1) == (first + 32, last + 32)


class Coordinates(nn.Module):
    """In place of an encoder: each cell holds the coordinates of the input pixel that it is centred at."""

    def __init__(self, sizes, centres):
        super().__init__()
        self.sizes, self.centres = sizes, centres

    def forward(self, x):
        maps = {}
        for stage, (height, width) in self.sizes.items():
            rows, columns = (self.centres[stage] + stage * torch.arange(side) for side in (height, width))
            maps[stage] = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
        return maps


@pytest.mark.parametrize("padding", [100, 1])
@pytest.mark.parametrize("name", ORIGINALS)
@torch.inference_mode()
def test_scores_lie_where_their_features_were(name, padding):
    """Pixels get the coordinates that the cells around them are centred at: every crop offset is exact."""
    middles = {stage: sum(seen_columns(stage, padding)) / 2 for stage in (8, 16, 32)}
    centres = {stage: middle - 448 for stage, middle in middles.items()}
    size = (233, 370)
    model = build(name, classes=2, **TINY, padding=padding)
    sizes = {stage: maps.shape[2:] for stage, maps in model.encoder(torch.zeros(1, 3, *size)).items() if stage >= 8}
    model.encoder = Coordinates(sizes, centres)
    scales = {"16": 0.01, "8": 0.0001} if name == "fcn8s_at_once" else {}
    for stage in model.score:
        share = torch.eye(2)[:, :, None, None] / len(model.score)
        model.score[stage] = nn.Conv2d(2, 2, 1, bias=False)
        model.score[stage].weight.copy_(share / scales.get(stage, 1))
    expected = torch.stack(torch.meshgrid(*(torch.arange(float(side)) for side in size), indexing="ij"))
    inside = (slice(None), slice(80, -80), slice(80, -80))  # the ring around the scores falls towards zero
    assert torch.allclose(model.logits(torch.zeros(1, 3, *size))[0][inside], expected[inside], atol=1e-3)


def test_at_once_scales_the_pool_features():
    torch.manual_seed(0)
    staged, at_once = tiny("fcn8s"), tiny("fcn8s_at_once")
    at_once.load_state_dict(staged.state_dict())
    with torch.inference_mode():
        for stage, scale in (("16", 0.01), ("8", 0.0001)):
            staged.score[stage].weight.mul_(scale)
        x = 100 * torch.rand(1, 3, 50, 70)
        assert torch.allclose(at_once.logits(x), staged.logits(x), atol=1e-6)


@pytest.mark.parametrize("name", ORIGINALS)
def test_scores_start_at_zero(name):
    model = build(name, classes=3, **TINY, padding=1)
    model(torch.rand(1, 3, 40, 40)).sum().backward()
    assert not model(torch.rand(1, 3, 40, 40)).any()
    assert all(layer.bias.grad.any() for layer in model.score.values()), "they learn from the first step"


def bundle(name, model, folder, **options):
    path = folder / f"{name}.safetensors"
    Bundle(name, options, LabelSpace(("a", "b")), Preprocessing(), model.state_dict()).save(path)
    return path


@pytest.mark.parametrize("learned", [False, True])
def test_stages_start_from_each_other(learned, tmp_path):
    torch.manual_seed(0)
    options = {**TINY, "padding": 1, "learned_upsampling": learned}
    earlier = tiny("fcn32s", **options)
    for name, before, added in (("fcn16s", "fcn32s", "16"), ("fcn8s", "fcn16s", "8")):
        model = build(name, classes=2, **options).eval()
        initialise(model, str(bundle(before, earlier, tmp_path, **options)), LabelSpace(("a", "b")))
        state, old = model.state_dict(), earlier.state_dict()
        shared = {key for key in state if key in old and not key.startswith("last.")}
        assert all(torch.equal(state[key], old[key]) for key in shared)
        new = {f"score.{added}.weight", f"score.{added}.bias"}
        assert set(state) - shared - {"last.weight", f"upscore.{added}.weight"} == new
        assert not any(state[key].any() for key in new)
        nn.init.normal_(model.score[added].weight)
        earlier = model


def test_vgg16_as_convolutions_equals_the_classifier():
    """At 224 pixels, the middle cell of fc7 is what torchvision's VGG16 classifies by; the pools are equal too."""
    torch.manual_seed(0)
    with shapes_only():
        reference = torchvision.models.vgg16().eval()
        ours = build("fcn32s", classes=2, padding=1).eval()
    reference.to_empty(device="cpu")
    ours.to_empty(device="cpu")
    for key, parameter in reference.named_parameters():
        bound = 0.0 if key.endswith("bias") else (6 / parameter[0].numel()) ** 0.5
        nn.init.uniform_(parameter, -bound, bound)
    state = reference.state_dict()
    ours.encoder.load_pretrained(
        {
            **{key: value for key, value in state.items() if key.startswith("features.")},
            "pre_logits.fc1.weight": state["classifier.0.weight"].view(4096, 512, 7, 7),
            "pre_logits.fc1.bias": state["classifier.0.bias"],
            "pre_logits.fc2.weight": state["classifier.3.weight"].view(4096, 4096, 1, 1),
            "pre_logits.fc2.bias": state["classifier.3.bias"],
        }
    )
    x = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        maps = ours.encoder(x)
        expected = x
        for index, layer in enumerate(reference.features):
            expected = layer(expected)
            stage = {16: 8, 23: 16}.get(index)
            assert stage is None or torch.equal(maps[stage], expected)
        fc7 = reference.classifier[:-1](expected.flatten(1))
    assert fc7.max() > 0.1
    assert (maps[32][:, :, 3, 3] - fc7).abs().max() <= 1e-5 * fc7.max()


def test_pretrained_weights_that_do_not_fit():
    state = VGG16().state_dict()
    narrow = build("fcn32s", classes=2, width=8, padding=1, in_channels=4)
    narrow.encoder.load_pretrained(state)  # without fc6 and fc7
    first = narrow.encoder.features[0].weight
    assert torch.allclose(first[:, :3], state["features.0.weight"] * 3 / 4)
    assert torch.equal(narrow.encoder.features[28].weight, state["features.28.weight"])
    with pytest.raises(ModelError, match="pretrained weights of VGG16 need base=64, not 1"):
        build("fcn32s", classes=2, **TINY).encoder.load_pretrained(state)
    with pytest.raises(ModelError, match="padding is 100"):
        build("fcn8s", classes=2, **TINY, padding=0)
    with pytest.raises(ModelError, match="output stride 32"):
        VGG16(output_stride=16)


@pytest.mark.parametrize("stride", [32, 8])
def test_vgg16_in_both_forms(stride):
    encoder = VGG16(in_channels=2, output_stride=stride, base=2).eval()
    assert encoder.channels == {2: 2, 4: 4, 8: 8, 16: 16, 32: 16}
    with torch.inference_mode():
        for size in ((1, 1), (321, 41), (75, 64)):
            maps = encoder(torch.rand(1, 2, *size))
            assert {stage: features.shape[1] for stage, features in maps.items()} == encoder.channels
            for stage, features in maps.items():
                assert tuple(features.shape[2:]) == tuple(-(-side // min(stage, stride)) for side in size)
    convs = [layer for layer in encoder.features if isinstance(layer, nn.Conv2d)]
    assert [conv.dilation[0] for conv in convs[-4:]] == ([1, 1, 1, 1] if stride == 32 else [1, 2, 2, 2])


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8, 32])
@pytest.mark.parametrize("padded", [False, True])
def test_bilinear_deconvolution(factor, padded):
    """Fixed and learned are one transposed convolution, which inside is bilinear interpolation."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6)
    padding = factor // 2 if padded else 0
    kernel = bilinear_kernel(2 * factor - factor % 2)
    assert kernel.sum() == pytest.approx(factor**2)
    dense = torch.zeros(3, 3, *kernel.shape)
    dense[range(3), range(3)] = kernel
    expected = F.conv_transpose2d(x, dense, stride=factor, padding=padding)
    for learned in (False, True):
        out = BilinearDeconv(3, factor, padding=padding, learned=learned)(x)
        assert out.shape == expected.shape
        assert torch.allclose(out, expected, atol=1e-5)
    if padded and factor % 2 == 0:
        ring = factor // 2
        inside = (..., slice(ring, -ring), slice(ring, -ring))
        wide = F.interpolate(x, scale_factor=factor, mode="bilinear")
        assert torch.allclose(expected[inside], wide[inside], atol=1e-5)
        assert not torch.allclose(expected, wide, atol=1e-2)


def test_a_fixed_deconvolution_is_not_stored():
    assert not BilinearDeconv(3, 2).state_dict()
    assert BilinearDeconv(3, 2, learned=True).weight.shape == (3, 1, 4, 4)


def test_fcn_over_resnet_has_torchvisions_size():
    with shapes_only():
        whole, plain = build("fcn", classes=21), build("fcn", classes=21, auxiliary=0)
    assert parameters(whole) == 35_322_218
    assert parameters(whole.auxiliary_head) == parameters(whole) - parameters(plain) == 2_365_205
    auxiliary_work = sum(p.numel() for p in whole.auxiliary_head.parameters() if p.ndim > 1) * 65 * 65 / 1e9
    assert gmacs(plain, (520, 520)) == gmacs(whole, (520, 520))
    assert gmacs(whole, (520, 520)) + auxiliary_work == pytest.approx(152.717, abs=0.001)


def test_fcn_supervises_both_heads_at_full_size():
    torch.manual_seed(0)
    model = build("fcn", classes=3, encoder="test_resnet").eval()
    x = torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        main, auxiliary = model.supervised(x)
        assert torch.equal(main.logits, model(x))
        expected = model.auxiliary_head(model.encoder(x)[16])
        expected = F.interpolate(expected, size=(50, 70), mode="bilinear")
    assert torch.equal(auxiliary.logits, expected)
    assert (main.weight, auxiliary.weight) == (1.0, 0.5)
    assert len(build("fcn", classes=3, encoder="test_resnet", auxiliary=0).supervised(x)) == 1
    with pytest.raises(ModelError, match="no features at stride 5"):
        build("fcn", classes=3, encoder="test_resnet", auxiliary=5)


def test_fcn_head_is_torchvisions():
    torch.manual_seed(0)
    ours, theirs = FCNHead(32, 5).eval(), torchvision.models.segmentation.fcn.FCNHead(32, 5).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 32, 6, 7)
    assert torch.equal(ours(x), theirs(x))
