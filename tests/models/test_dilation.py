"""Dilated encoders: the hole-algorithm invariant, the two conventions, and backbones that only seem to dilate."""

from collections import defaultdict

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from intarsia.errors import ModelError
from intarsia.models.encoders import TimmEncoder
from intarsia.models.encoders.backbones import AnchoredConv2d
from intarsia.models.shapes import shapes_only


def statistics_that_matter(model):
    """Random batch-norms: fresh ones do nothing, and some start at zero, which would hide their whole branch."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    return model.eval()


def subsampling_errors(name, **options):
    """Differences of the subsampled maps at strides 16 and 8 to the undilated one, relative to its largest value."""
    torch.manual_seed(0)
    undilated = statistics_that_matter(TimmEncoder(name))
    x = torch.rand(1, 3, 64, 96)
    errors = []
    with torch.inference_mode():
        expected = undilated(x)[32]
        for output_stride in (16, 8):
            with shapes_only():
                dilated = TimmEncoder(name, output_stride=output_stride, **options).eval()
            dilated.load_state_dict(undilated.state_dict(), assign=True)
            found = dilated(x)[32]
            assert found.shape[2:] == (64 // output_stride, 96 // output_stride)
            step = 32 // output_stride
            errors.append(float((found[..., ::step, ::step] - expected).abs().max() / expected.abs().max()))
    return errors


@pytest.mark.parametrize(
    "name",
    [
        "cspresnet50",
        "efficientnet_lite0",
        "mobilenetv2_100",
        "mobilenetv4_conv_small",
        "repvgg_a0",
        "resnet18",
        "resnet50",
        "xception41",
        # those that timm does not dilate right by itself: a map shifted by a cell, or convolutions left out
        "convnext_atto",
        "mobileone_s0",
    ],
)
def test_subsampled_map_is_the_undilated_one(name):
    assert max(subsampling_errors(name)) <= 1e-5


def test_average_pools_in_shortcuts_are_exact_at_stride_16_only():
    at_16, at_8 = subsampling_errors("resnet26d")
    assert at_16 <= 1e-5
    assert 1e-3 < at_8 < 1


def test_whole_stage_dilation_is_another_network():
    assert min(subsampling_errors("resnet18", dilate_first_block=True)) > 0.1


@pytest.mark.parametrize("output_stride", [16, 8])
def test_whole_stage_dilation_is_that_of_smp(output_stride):
    torch.manual_seed(0)
    theirs = smp.encoders.get_encoder("resnet18", weights=None, output_stride=output_stride)
    theirs = statistics_that_matter(theirs)
    ours = TimmEncoder("resnet18", output_stride=output_stride, dilate_first_block=True).eval()
    ours.backbone.load_state_dict(theirs.state_dict())
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected, found = theirs(x)[1:], list(ours(x).values())
    assert len(expected) == len(found) == 5
    for a, b in zip(expected, found, strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max()


@pytest.mark.parametrize("whole", [False, True])
def test_every_convolution_is_dilated_in_mobileone(whole):
    """timm removes its strides and leaves all dilations at 1."""
    with shapes_only():
        encoder = TimmEncoder("mobileone_s1", output_stride=8, dilate_first_block=whole)
    rates = defaultdict(set)
    for name, conv in encoder.backbone.named_modules():
        if isinstance(conv, nn.Conv2d) and conv.kernel_size[0] > 1:
            rates[name.partition(".")[0]].add(conv.dilation[0])
    assert rates["stages_1"] == {1}
    assert rates["stages_2"] == ({2} if whole else {1, 2})
    assert rates["stages_3"] == ({4} if whole else {2})  # a single block, of which the first convolution had the stride


@pytest.mark.parametrize(
    ("name", "output_stride", "reason"),
    [
        ("xception71", 8, r"'xception71' cannot keep its weights .*other tensors there \(blocks_4.shortcut"),
        ("gernet_l", 16, "use a larger output_stride, or a backbone that dilates exactly, for instance 'resnet50'"),
        ("halonet26t", 16, "takes pictures of one size only"),
        ("pvt_v2_b0", 16, "cannot be built with output stride 16"),
        ("vgg16", 8, "cannot be built with output stride 8"),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_backbones_that_cannot_be_dilated_say_so(name, output_stride, reason, whole):
    with shapes_only(), pytest.raises(ModelError, match=reason):
        TimmEncoder(name, output_stride=output_stride, dilate_first_block=whole)


def test_xception71_keeps_its_tensors_at_stride_16():
    with shapes_only():
        assert set(TimmEncoder("xception71", output_stride=16).state_dict()) == set(
            TimmEncoder("xception71").state_dict()
        )


def test_anchored_convolution_looks_ahead_only():
    conv = AnchoredConv2d(1, 1, 2, dilation=3, bias=False)
    nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 9, 9)
    x[..., 5, 5] = 1
    assert {(int(i), int(j)) for i, j in conv(x)[0, 0].nonzero()} == {(2, 2), (2, 5), (5, 2), (5, 5)}


@pytest.mark.parametrize("name", ["test_convnext", "test_mambaout", "pvt_v2_b0", "densenet121", "test_resnet"])
@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
def test_maps_of_any_size_have_whole_cells(name, size):
    """Patches and unpadded pools cut off what does not fill them, or fail; the encoder fills the picture up."""
    encoder = TimmEncoder(name).eval()
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 3, *size))
    for stage, features in maps.items():
        assert features.shape[1:] == (encoder.channels[stage], *(-(-side // stage) for side in size))


def test_full_cells_are_left_alone():
    encoder = TimmEncoder("test_convnext").eval()
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        for ours, theirs in zip(encoder(x).values(), encoder.backbone(x), strict=True):
            assert torch.equal(ours, theirs)
