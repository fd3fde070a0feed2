"""The DeepLab family: published sizes, receptive fields and costs, and equality with other libraries' networks."""

import pytest
import segmentation_models_pytorch as smp
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.encoders.vgg import VGG16
from intarsia.models.layers import ASPP, ImagePooling, conv_norm_act, separable_conv
from intarsia.models.shapes import shapes_only

TINY = {"encoder": "test_resnet", "channels": 8}


def abstract(name, **options):
    """A model of 21 classes without memory, of which shapes can be known."""
    with shapes_only():
        return build(name, classes=21, **options)


def copy_in_order(source, target):
    """Copy all tensors, which both networks have in the same order."""
    given, wanted = source.state_dict(), target.state_dict()
    assert [tensor.shape for tensor in given.values()] == [tensor.shape for tensor in wanted.values()]
    target.load_state_dict(dict(zip(wanted, given.values(), strict=True)))


def with_statistics(model):
    """Norm statistics and weights that matter: fresh ones do nothing, or hide the branch that they end."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


def largest_difference(a, b):
    """Relative to the largest value."""
    return float((a - b).abs().max() / a.abs().max())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("deeplabv1", {"kernel": 7, "rate": 4, "width": 4096}, 134_346_581),  # table 2: 134.3 million
        ("deeplabv1", {"kernel": 4, "rate": 4, "width": 4096}, 65_140_565),  # 65.1
        ("deeplabv1", {"kernel": 4, "rate": 8, "width": 4096}, 65_140_565),  # 65.1
        ("deeplabv1", {}, 20_505_429),  # 20.5
        ("deeplabv2", {}, 44_048_532),
        ("deeplabv2", {"encoder": "vgg16"}, 37_877_652),
        ("deeplabv3", {"multi_grid": (1, 2, 4)}, 58_040_661),
        ("deeplabv3", {"encoder": "xception65"}, 53_407_813),
        ("deeplabv3", {"encoder": "resnet50", "post_conv": True, "auxiliary": 16}, 42_004_074),  # torchvision's
        ("deeplabv3", {"encoder": "resnet101", "post_conv": True, "auxiliary": 16}, 60_996_202),
        ("deeplabv3plus", {"encoder": "resnet101", "separable": False}, 59_344_309),
        ("deeplabv3plus", {"encoder": "xception65"}, 41_055_413),
        ("deeplabv3plus", {"encoder": "xception65", "separable": False}, 54_711_461),
    ],
)
def test_parameters_for_21_classes(name, options, expected):
    assert parameters(abstract(name, **options)) == expected


def test_parameters_of_the_pyramids_alone():
    assert parameters(abstract("deeplabv2").head) == 1_548_372
    with shapes_only():
        assert parameters(ASPP(2048, 256, (6, 12, 18))) == 15_535_104
        assert (
            parameters(ASPP(2048, 256, (6, 12, 18), image_pooling=False)) == 15_535_104 - 2048 * 256 - 512 - 256 * 256
        )


@pytest.mark.parametrize(("output_stride", "published"), [(16, 54.17), (8, 177.10)])
def test_xception_costs_what_the_paper_says(output_stride, published):
    """Table 5 of DeepLabv3+: multiply-adds of the separable network at 513x513, in thousand millions."""
    model = abstract("deeplabv3plus", encoder="xception65", output_stride=output_stride)
    assert gmacs(model, (513, 513)) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(("encoder", "published"), [("resnet50", 178.722), ("resnet101", 258.743)])
def test_resnets_cost_what_torchvision_says(encoder, published):
    model = abstract("deeplabv3", encoder=encoder, output_stride=8, post_conv=True)
    auxiliary = 65 * 65 * 256 * (9 * 1024 + 21) / 1e9
    assert gmacs(model, (520, 520)) + auxiliary == pytest.approx(published, abs=0.001)


def test_resnet101_costs_in_its_own_right():
    """The paper has a stem of three 3x3 convolutions and later strides, hence its 81.02 and 276.18."""
    at_16, at_8 = (abstract("deeplabv3", output_stride=stride, multi_grid=(1, 2, 4)) for stride in (16, 8))
    assert (gmacs(at_16, (513, 513)), gmacs(at_8, (513, 513))) == pytest.approx((71.06, 246.18), abs=0.01)


# Receptive fields


def seen_pixels(layers, size):
    """Side of the square of input pixels that the central output depends on; a maximum depends on all it looks at."""
    for name, layer in list(layers.named_modules()):
        if isinstance(layer, nn.MaxPool2d):
            layers.set_submodule(name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode))
        elif isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            nn.init.zeros_(layer.bias)
    x = torch.ones(1, layers[0].in_channels, size, size, requires_grad=True)
    out = layers(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    return int((x.grad[0, 0] > 0).any(0).sum())


def test_the_released_network_sees_435_pixels():
    model = build("deeplabv1", classes=1, in_channels=1, base=1, width=1, dropout=0)
    assert (
        seen_pixels(nn.Sequential(*model.encoder.features, model.pool, *model.fc6, *model.fc7, model.head), 561) == 435
    )


def test_fields_of_view_of_the_papers_table():
    """Over the paper's 2x2 pools: 404 pixels, and 308 in its second row (224 and 128 for pictures without borders)."""
    below = seen_pixels(VGG16(in_channels=1, base=1).features, 672)
    fields = []
    for kernel, rate in ((7, 4), (4, 4), (4, 8), (3, 12)):
        fc6 = abstract("deeplabv1", kernel=kernel, rate=rate, width=8).fc6[0]
        fields.append(below + 8 * fc6.dilation[0] * (fc6.kernel_size[0] - 1))
    assert fields == [404, 308, 404, 404]


# Atrous convolution


def test_dilated_convolution_is_a_zero_stuffed_kernel():
    torch.manual_seed(0)
    x = torch.rand(1, 2, 33, 33, dtype=torch.float64)
    for rate in range(2, 25):
        conv = conv_norm_act(2, 3, dilation=rate)[0].double()
        stuffed = torch.zeros(3, 2, 2 * rate + 1, 2 * rate + 1, dtype=torch.float64)
        stuffed[:, :, ::rate, ::rate] = conv.weight
        assert torch.allclose(conv(x), F.conv2d(x, stuffed, padding=rate), rtol=0, atol=1e-14)


@pytest.mark.parametrize("rate", [33, 36])
def test_rates_beyond_the_map_leave_a_1x1_convolution(rate):
    torch.manual_seed(0)
    conv = conv_norm_act(4, 3, dilation=rate)[0]
    x = torch.rand(1, 4, 33, 33)
    assert torch.allclose(conv(x), F.conv2d(x, conv.weight[:, :, 1:2, 1:2]), atol=1e-6)


def test_large_rates_use_few_weights():
    """Section 3.3 of DeepLabv3, figure 4: on 33x33 cells, of a kernel's nine weights these count on average."""
    ones = torch.ones(1, 1, 33, 33)
    used = [
        float(F.conv2d(ones, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate).mean()) for rate in (6, 12, 18, 24)
    ]
    assert used == pytest.approx([6.95, 5.17, 3.64, 2.39], abs=0.01)


def test_norm_between_depthwise_and_pointwise():
    with_norm, without = (separable_conv(4, 6, depthwise_norm=norm) for norm in (True, False))
    kinds = [type(layer) for layer in with_norm]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert [type(layer) for layer in without] == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert with_norm[0].groups == without[0].groups == 4


# Output stride and rates


def rates_of(model):
    return [branch[0].dilation[0] for branch in list(model.aspp.branches)[1:-1]]


@pytest.mark.parametrize(("output_stride", "rates"), [(32, [3, 6, 9]), (16, [6, 12, 18]), (8, [12, 24, 36])])
@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
def test_rates_follow_the_output_stride(name, output_stride, rates):
    assert rates_of(abstract(name, encoder="test_resnet", output_stride=output_stride)) == rates


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus", "ksac"])
def test_weights_of_stride_16_predict_at_stride_8(name):
    """Encoder and pyramid compute the same at more places, once the mean over all places is left out."""
    torch.manual_seed(0)
    options = {"encoder": "mobilenetv2_100", "channels": 8}
    trained = with_statistics(build(name, classes=3, **options))
    (pooling,) = (module for module in trained.modules() if isinstance(module, ImagePooling))
    nn.init.zeros_(pooling.conv.weight)
    finer = build(name, classes=3, **options, output_stride=8).eval()
    finer.load_state_dict(trained.state_dict())
    x = torch.rand(1, 3, 128, 192, dtype=torch.float64)
    with torch.inference_mode():
        expected, found = (model.double().aspp(model.encoder(x)[32]) for model in (trained, finer))
        assert found.shape[2:] == (16, 24)
        assert largest_difference(expected, found[..., ::2, ::2]) <= 1e-9
        assert finer(x).shape == trained(x).shape


@pytest.mark.parametrize(("output_stride", "rates"), [(16, [2, 4, 8]), (8, [4, 8, 16])])
def test_multi_grid(output_stride, rates):
    """Section 3.2.1: unit rates (1, 2, 4) times the stage's rate."""
    model = abstract("deeplabv3", encoder="resnet50", output_stride=output_stride, multi_grid=(1, 2, 4))
    assert [block.conv2.dilation[0] for block in model.encoder.backbone.layer4] == rates


# DeepLab v2


def test_v2_has_the_first_resnets_strides():
    backbone = abstract("deeplabv2", encoder="resnet50").encoder.backbone
    first = backbone.layer2[0]
    assert (first.conv1.stride, first.conv2.stride, first.downsample[0].stride) == ((2, 2), (1, 1), (2, 2))
    assert {block.conv2.dilation for block in backbone.layer3} == {(2, 2)}
    assert {block.conv2.dilation for block in backbone.layer4} == {(4, 4)}


def test_v2_takes_the_largest_score_of_three_scales():
    torch.manual_seed(0)
    model = build("deeplabv2", classes=3, encoder="test_resnet").eval()
    single = build("deeplabv2", classes=3, encoder="test_resnet", scales=(1.0,)).eval()
    single.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 65, 97)
    with torch.inference_mode():
        each = [
            single.logits(x if side == 65 else F.interpolate(x, (side, width), mode="bilinear", align_corners=True))
            for side, width in ((65, 97), (49, 73), (33, 49))
        ]
        terms = model.supervised(x)
        fused = model.logits(x)
    assert [tuple(logits.shape[2:]) for logits in each] == [(9, 13), (7, 10), (5, 7)]
    expected = torch.stack([F.interpolate(s, (9, 13), mode="bilinear", align_corners=True) for s in each]).amax(0)
    assert torch.allclose(fused, expected, atol=1e-6)
    assert [term.weight for term in terms] == [1, 1, 1, 1]
    for found, own in zip(terms, (fused, *each), strict=True):
        assert torch.allclose(found.logits, own, atol=1e-6)
    with torch.inference_mode():
        assert len(single.supervised(x)) == 1


@pytest.mark.parametrize("options", [{"encoder": "resnet50"}, {"encoder": "vgg16"}])
def test_v2_classifiers_start_small(options):
    torch.manual_seed(0)
    model = build("deeplabv2", classes=21, scales=(1.0,), **options)
    last = [branch[-1] if isinstance(branch, nn.Sequential) else branch for branch in model.head]
    assert len(last) == 4
    for conv in last:
        assert float(conv.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
        assert not conv.bias.any()


def test_v2_over_vgg16_gives_scores():
    model = build("deeplabv2", classes=3, encoder="vgg16", scales=(1.0,)).eval()
    with torch.inference_mode():
        assert model.logits(torch.rand(1, 3, 41, 57)).shape == (1, 3, 6, 8)


def test_v1_trains_at_its_own_resolution():
    model = build("deeplabv1", classes=3, base=1, width=4)
    (term,) = model.supervised(torch.rand(1, 3, 321, 321))
    assert term.logits.shape == (1, 3, 41, 41) and term.weight == 1
    assert model.align_corners


# Other libraries


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_v3_is_smps(encoder, output_stride):
    torch.manual_seed(0)
    theirs = smp.DeepLabV3(encoder, encoder_weights=None, encoder_output_stride=output_stride, classes=5)
    theirs = with_statistics(theirs)
    ours = build(
        "deeplabv3",
        classes=5,
        encoder="resnet18",
        output_stride=output_stride,
        rates=[rate * output_stride // 16 for rate in (12, 24, 36)],
        post_conv=True,
        dilate_first_block=encoder == "resnet18",
        align_corners=True,
    ).eval()
    copy_in_order(theirs, ours)
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert largest_difference(theirs(x), ours(x)) <= 1e-5


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_v3plus_is_smps(encoder, output_stride):
    torch.manual_seed(0)
    theirs = smp.DeepLabV3Plus(encoder, encoder_weights=None, encoder_output_stride=output_stride, classes=5)
    theirs = with_statistics(theirs)
    ours = build(
        "deeplabv3plus",
        classes=5,
        encoder="resnet18",
        output_stride=output_stride,
        rates=[rate * output_stride // 16 for rate in (12, 24, 36)],
        depthwise_norm=False,
        decoder_convs=1,
        post_conv=True,
        dilate_first_block=encoder == "resnet18",
        align_corners=True,
    ).eval()
    copy_in_order(theirs, ours)
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        # their decoder enlarges by 4 at stride 16 and by 2 at stride 8, to the same map
        assert largest_difference(theirs(x), ours(x)) <= 1e-5


def test_v3_is_torchvisions():
    torch.manual_seed(0)
    theirs = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=5, aux_loss=True
    )
    theirs = with_statistics(theirs)
    ours = build(
        "deeplabv3", classes=5, encoder="resnet50", output_stride=8, post_conv=True, auxiliary=16, dropout=0.5
    ).eval()
    copy_in_order(theirs, ours)
    x = torch.rand(1, 3, 65, 71)
    with torch.inference_mode():
        expected, found = theirs(x), ours.supervised(x)
        assert torch.equal(ours(x), found[0].logits)
    assert [term.weight for term in found] == [1, 0.5]
    assert largest_difference(expected["out"], found[0].logits) <= 1e-5
    assert largest_difference(expected["aux"], found[1].logits) <= 1e-5


# Options


def test_auxiliary_head_runs_in_training_only():
    model = build("deeplabv3", classes=3, **TINY, auxiliary=16).eval()
    model.auxiliary_head.register_forward_hook(lambda *_: pytest.fail("the auxiliary head ran"))
    with torch.inference_mode():
        model(torch.rand(1, 3, 32, 32))
    assert len(build("deeplabv3", classes=3, **TINY).eval().supervised(torch.rand(1, 3, 32, 32))) == 1


def test_pyramid_without_image_pooling():
    model = build("deeplabv3plus", classes=3, **TINY, image_pooling=False)
    assert not any(isinstance(module, ImagePooling) for module in model.modules())
    assert len(model.aspp.branches) == 4 and model.aspp.project[0].in_channels == 32


@pytest.mark.parametrize("count", [1, 2, 3])
def test_convolutions_of_the_decoder(count):
    model = build("deeplabv3plus", classes=3, **TINY, decoder_convs=count)
    assert [conv[0].in_channels for conv in model.decoder] == [8 + 48, 8, 8][:count]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "deeplabv1",
            {"kernel": 4, "rate": 3},
            "kernel of 4 at rate 3 has no centre; use an odd kernel or an even rate",
        ),
        ("deeplabv2", {"rates": ()}, "dilations of at least 1, at least one of them, not []"),
        ("deeplabv2", {"encoder": "test_resnet", "scales": (1.0, 0)}, "scales are positive factors"),
        ("deeplabv3", {"encoder": "test_resnet", "rates": (6, 0)}, "dilations of at least 1"),
        (
            "deeplabv3",
            {"encoder": "test_resnet", "multi_grid": (1, 2, 4)},
            "multi_grid has 3 rates, but .* has 1 blocks",
        ),
        ("deeplabv3", {"encoder": "test_resnet", "auxiliary": 5}, "no features at stride 5"),
        ("deeplabv3plus", {"encoder": "test_resnet", "decoder_convs": 0}, "decoder_convs is at least 1"),
    ],
)
def test_options_that_cannot_be_built(name, options, message):
    with shapes_only(), pytest.raises(ModelError, match=message.replace("[]", r"\[\]")):
        build(name, classes=2, **options)
