"""One sweep over every registered architecture, and what the registry and the encoders promise."""

import re
from functools import cache

import pytest
import torch
from small import SMALL, small
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.models import SegmentationModel, architecture, architectures_by_medium, build
from intarsia.models.encoders import TimmEncoder, build_encoder
from intarsia.models.layers import ASPP, ImagePooling
from intarsia.models.restore import restore
from intarsia.models.shapes import shapes_only
from intarsia.models.single import bear_single_values
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Recipe
from intarsia.runtimes.torch import accelerate
from intarsia.zoo import find_recipe

ENCODER = "test_efficientnet"
# Networks; those that are fitted have a sweep of their own in classical/.
EVERY = sorted(name for name, found in architectures_by_medium()["image"].items() if not found.fitted)


def supervised_sum(outputs):
    """One number that depends on every output that training supervises."""
    return sum(output.weight * output.logits.float().square().mean() for output in outputs)


@cache
def kept(name: str) -> SegmentationModel:
    """One of three classes in evaluation mode, built once. Do not change it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return small(name).eval()


# Whose encoder is traced with them; around the others stands a plain one, for what an encoder is traced to is the same.
WHOLE = ("eomt", "fcn", "segformer", "segnext", "unet")


@cache
def traced(name: str) -> SegmentationModel:
    """As `kept`, without the layers of an encoder that are traced with another network. Do not change it."""
    if name in WHOLE or "encoder" not in SMALL[name]:
        return kept(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return small(name, encoder="test_plain").eval()


def test_every_encoder_is_traced_once():
    used = {options["encoder"] for options in SMALL.values() if "encoder" in options}
    assert sorted(SMALL[name]["encoder"] for name in WHOLE) == sorted(used)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [(64, 64), (65, 43), (33, 100), (1, 1), (7, 300)])
def test_logits_have_the_size_of_the_input(name, size):
    model = kept(name)
    with torch.inference_mode():
        logits = model.logits(torch.rand(2, 3, *size))
        assert model(torch.rand(2, 3, *size)).shape == (2, 3, *size)
    strides = [2**power for power in range(6)]
    assert tuple(logits.shape[2:]) in [tuple(-(-side // stride) for side in size) for stride in strides]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("classes", [1, 2, 19, 150])
def test_number_of_classes(name, classes):
    with torch.inference_mode():
        assert small(name, classes).eval()(torch.rand(1, 3, 32, 32)).shape[1] == classes


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 4, 8])
def test_number_of_input_channels(name, channels):
    torch.manual_seed(0)
    model = small(name, in_channels=channels).eval()
    assert model.in_channels == channels
    x = torch.rand(1, channels, 32, 48, requires_grad=True)
    model(x).square().mean().backward()
    assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all(), "every channel is seen"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [(16, 16), (32, 32), (33, 47)])
def test_trains_on_a_batch_of_one(name, size):
    """Batch statistics of a 1x1 map do not exist, pooled or of a small picture; the model must not fail on them."""
    torch.manual_seed(0)
    model = small(name).train()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    outputs = model.supervised(torch.rand(1, 3, *size))
    assert all(output.logits.shape[:2] == (1, 3) and output.weight > 0 for output in outputs)
    supervised_sum(outputs).backward()
    learned = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert [key for key, parameter in learned.items() if parameter.grad is None] == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in learned.values())
    assert all(norm.training for norm in norms)


@pytest.mark.parametrize("name", EVERY)
def test_trains_in_bfloat16(name):
    torch.manual_seed(0)
    model = small(name).train()
    x = torch.rand(2, 3, 48, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = supervised_sum(model.supervised(x))
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    model.eval()
    with torch.inference_mode():
        exact = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(x).float()
    assert (exact - rounded).abs().max() <= 0.1 * exact.abs().max() + 1e-6


@pytest.mark.parametrize("name", EVERY)
def test_learns_two_flat_halves(name):
    torch.manual_seed(0)
    model = small(name, 2).train()
    x = torch.zeros(2, 3, 64, 64)
    x[..., 32:] = 1
    target = (x[:, 0] > 0).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):  # most need a dozen; which one needs more depends on the processor's arithmetic
        logits = model(x)
        loss, right = nn.functional.cross_entropy(logits, target), (logits.argmax(1) == target).float().mean()
        if loss < 0.1 and right > 0.95:  # such a loss no random start has
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert right > 0.95  # of that pass: where layers are dropped by chance, another one differs


@pytest.mark.parametrize("name", EVERY)
def test_eval_is_independent_of_the_batch(name):
    torch.manual_seed(0)
    model = kept(name)
    x = torch.rand(3, 3, 40, 56)
    with torch.inference_mode():
        assert torch.allclose(model(x)[1:2], model(x[1:2]), atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_bundle_brings_the_model_back(name, tmp_path):
    model = kept(name)
    space = LabelSpace(("a", "b", "c"))
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in SMALL[name].items()}
    Bundle(name, options, space, Preprocessing(), model.state_dict()).save(tmp_path / "model.safetensors")
    restored = restore(Bundle.load(tmp_path / "model.safetensors"))
    x = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(restored(x), model(x))


@pytest.mark.parametrize("name", EVERY)
def test_the_fast_copy_gives_the_same_logits(name):
    torch.manual_seed(0)
    model = small(name).train()
    with torch.no_grad():
        model.supervised(torch.rand(4, 3, 64, 64))  # norm statistics that matter
        model.eval()
        x = torch.rand(1, 3, 40, 56)
        expected = model.logits(x)
        found = accelerate(model, "fp32").logits(x.contiguous(memory_format=torch.channels_last))
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("name", EVERY)
def test_compiles_whole(name):
    """One graph without breaks; what a backend makes of it is its own affair."""
    model = traced(name)
    x = torch.rand(1, 3, 40, 56)
    torch.compiler.reset()
    with torch.no_grad():
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(x), model(x), atol=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_exports(name):
    model = traced(name)
    x = torch.rand(1, 3, 40, 56)
    with torch.no_grad():
        exported = torch.export.export(model, (x,)).module()
        assert torch.allclose(exported(x), model(x), atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_every_architecture_is_documented(name):
    found = architecture(name)
    assert len(found.summary) > 20
    assert re.search("arXiv:|doi:", found.paper)
    assert found.options["in_channels"] in (1, 3)
    documented = found.builder.__doc__
    assert all(f"\n        {option}: " in documented for option in found.options), "every option is explained"


@pytest.mark.parametrize("name", EVERY)
def test_every_architecture_has_a_recipe(name):
    assert Recipe.load(find_recipe(name)).model.architecture == name  # tests/test_street.py builds those of all recipes


@pytest.mark.parametrize("name", EVERY)
def test_a_misspelt_option_is_an_error(name):
    with pytest.raises(UsageError, match=rf"{name} has no option 'in_chanels'. Did you mean 'in_channels'"):
        small(name, in_chanels=3)


def test_names_and_options_are_suggested():
    with pytest.raises(UsageError, match=r"no architecture is named 'deeplabv3plsu'. Did you mean 'deeplabv3plus'"):
        build("deeplabv3plsu", classes=2)
    with pytest.raises(UsageError, match=r"unet has no option 'encodr'. Did you mean 'encoder'"):
        build("unet", classes=2, encodr="resnet18")
    with pytest.raises(UsageError, match=r"no backbone named 'resnet5O'. Did you mean 'resnet50'"):
        build("unet", classes=2, encoder="resnet5O")
    with pytest.raises(ModelError, match="at least one class"):
        build("unet", classes=0)
    with pytest.raises(ModelError, match=r"manet cannot be built with .*attention=0: center\.keys\.weight is empty"):
        build("manet", classes=2, encoder=ENCODER, channels=(8, 8, 8, 8), attention=0)
    with pytest.raises(ModelError, match=r"has 4 maps to join \(strides \[16, 8, 4, 2\]\)"):
        build("unet", classes=2, encoder=ENCODER, channels=(8, 8))
    with pytest.raises(ModelError, match=r"cannot be built with output stride 16"):
        TimmEncoder("test_mambaout", output_stride=16)
    with pytest.raises(ModelError, match=r"no features at stride 3 \(it has 2, 4, 8, 16, 32\)"):
        build("deeplabv3plus", classes=2, encoder=ENCODER, output_stride=32, low_stride=3)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_mambaout", "test_convnext"])
def test_encoder_contract(name):
    encoder = TimmEncoder(name).eval()
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 3, 96, 64))
    assert {stride: features.shape[1] for stride, features in maps.items()} == encoder.channels
    assert all(features.shape[2:] == (96 // stride, 64 // stride) for stride, features in maps.items())


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "mit_b0", "smp_timm_efficientnet_b0"]
)
def test_an_encoder_that_ends_early_gives_the_same_maps(name):
    whole, early = build_encoder(name).eval(), build_encoder(name, deepest=8).eval()
    early.load_state_dict({key: whole.state_dict()[key] for key in early.state_dict()})
    x = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        expected, maps = whole(x), early(x)
    assert list(maps) == list(early.channels) == [stage for stage in whole.channels if stage <= 8]
    assert early.output_stride == early.deepest == 8
    assert all(torch.equal(features, expected[stage]) for stage, features in maps.items())
    assert len(early.state_dict()) < len(whole.state_dict())


def test_stages_that_an_encoder_cannot_end_with():
    with pytest.raises(ModelError, match=r"'test_convnext' has no features at stride 2 \(it has 4, 8, 16, 32\)"):
        build_encoder("test_convnext", deepest=2)
    with pytest.raises(ModelError, match=r"'mit_b0' has no features at stride 2 \(it has 4, 8, 16, 32\)"):
        build_encoder("mit_b0", deepest=2)


def test_mobilenet_v2_subsampled_is_the_undilated_one():
    torch.manual_seed(0)
    plain, dilated = (build_encoder("torchvision_mobilenet_v2", output_stride=stride).eval() for stride in (32, 8))
    dilated.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected, found = plain(x), dilated(x)
    assert found[32].shape == (1, 1280, 8, 8)
    assert torch.allclose(found[32][:, :, ::4, ::4], expected[32], atol=1e-5)


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, BatchNormAct2d])
def test_single_values_are_normalised_by_the_running_statistics(kind):
    torch.manual_seed(0)
    plain, tolerant = kind(4), nn.Sequential(kind(4))
    for norm in (plain, tolerant[0]):
        norm.running_mean.fill_(0.5)
        norm.running_var.fill_(4.0)
    bear_single_values(tolerant)
    x = torch.randn(3, 4, 1, 1)
    assert torch.equal(tolerant(x), plain(x)), "several values have statistics"
    assert torch.equal(tolerant(x[:1]), plain.eval()(x[:1]))
    assert tolerant.state_dict().keys() == nn.Sequential(kind(4)).state_dict().keys()


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_output_stride(stride):
    encoder = TimmEncoder("test_resnet", output_stride=stride).eval()
    with torch.inference_mode():
        assert encoder(torch.rand(1, 3, 64, 96))[stride].shape[2:] == (64 // stride, 96 // stride)


def test_image_pooling_equals_its_definition():
    torch.manual_seed(0)
    layer = ImagePooling(4, 6).eval()
    x = torch.rand(2, 4, 5, 7)
    expected = torch.relu(layer.norm(layer.conv(nn.functional.adaptive_avg_pool2d(x, 1)))).expand(-1, -1, 5, 7)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_aspp_sees_exactly_its_rates():
    """A point of the input reaches outputs at distance 0 and +-rate only (image pooling aside)."""
    aspp = ASPP(1, 1, (2, 5), dropout=0).eval()
    for branch in list(aspp.branches)[1:-1]:
        nn.init.ones_(branch[0].weight)
    x = torch.zeros(1, 1, 21, 21)
    x[0, 0, 10, 10] = 1
    with torch.inference_mode():
        for rate, branch in zip((2, 5), list(aspp.branches)[1:-1], strict=True):
            hit = branch(x)[0, 0] > 0.5
            places = {(int(y) - 10, int(z) - 10) for y, z in hit.nonzero()}
            assert places == {(rate * i, rate * j) for i in (-1, 0, 1) for j in (-1, 0, 1)}


@pytest.mark.parametrize(
    ("name", "multiple", "deepest"),
    [
        ("swin_tiny_patch4_window7_224", 32, 768),  # has to be told that any size may come
        ("halonet26t", 256, 2048),  # blocks of 8 cells at every stage
        ("resnet18", 1, 512),
    ],
)
def test_encoders_of_fixed_or_divisible_sizes_take_any(name: str, multiple: int, deepest: int) -> None:
    with shapes_only():
        encoder = TimmEncoder(name)
        maps = encoder(torch.empty(1, 3, 100, 84))
    assert encoder._multiple == multiple
    assert {stage: features.shape[2:] for stage, features in maps.items() if stage >= 4} == {
        4: (25, 21), 8: (13, 11), 16: (7, 6), 32: (4, 3)
    }  # fmt: skip
    assert maps[32].shape[1] == deepest


@pytest.mark.parametrize("name", ["hiera_tiny_224", "efficientformerv2_s0", "coat_tiny"])
def test_encoders_of_one_size_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ModelError, match=rf"backbone '{name}' takes pictures of 224x224 pixels only.*'convnext_tiny'"):
        build("upernet", classes=2, encoder=name)
