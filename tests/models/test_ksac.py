"""KSAC: one kernel for all rates."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models import build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.layers import ASPP, KSAC
from intarsia.models.shapes import shapes_only


def randomised(module):
    """In evaluation mode, with norms that do something, each something else."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize(
    ("inputs", "rates", "summed", "concatenated", "aspp"),
    [
        (2048, (6, 12, 18), 5_966_848, 6_097_920, 15_535_104),
        (2048, (6, 12, 18, 24), 5_967_360, 6_163_968, 20_319_744),
        (320, (6, 12, 18), 1_100_800, 1_231_872, 2_706_432),
    ],
)
def test_parameters(inputs, rates, summed, concatenated, aspp):
    with shapes_only():
        assert parameters(KSAC(inputs, 256, rates)) == summed
        assert parameters(KSAC(inputs, 256, rates, fuse="concat")) == concatenated
        assert parameters(ASPP(inputs, 256, rates)) == aspp


def test_parameters_grow_by_a_norm_for_each_rate():
    with shapes_only():
        counts = [parameters(KSAC(2048, 256, range(1, number + 1))) for number in range(1, 6)]
    assert [after - before for before, after in itertools.pairwise(counts)] == [512] * 4


def test_share_of_the_branches_kernels_that_is_saved():
    """Kernels of the 1x1, 3x3 and pooling branches: 62 % with three rates, 71 % with four."""

    def kernels(pyramid):
        weights = {key: value for key, value in pyramid.state_dict().items() if value.ndim == 4}
        return sum(value.numel() for key, value in weights.items() if not key.startswith("project."))

    with shapes_only():
        saved = [
            1 - kernels(KSAC(2048, 256, rates)) / kernels(ASPP(2048, 256, rates))
            for rates in ((6, 12, 18), (6, 12, 18, 24))
        ]
    assert saved == pytest.approx([0.6207, 0.7105], abs=5e-5)


def test_the_whole_network_over_xception():
    """About 10 million parameters fewer than DeepLabv3+'s 54.7, at its cost of 86.68 GMAC."""
    with shapes_only():
        summed, concatenated = (
            build("ksac", classes=21, encoder="xception65", fuse=fuse) for fuse in ("sum", "concat")
        )
    assert (parameters(summed), parameters(concatenated)) == (45_143_205, 45_274_277)
    assert gmacs(summed, (513, 513)) == pytest.approx(86.54, abs=0.01)


@pytest.mark.parametrize("fuse", ["sum", "concat"])
def test_with_one_rate_it_is_aspp(fuse):
    ksac = randomised(KSAC(5, 4, (3,), fuse=fuse))
    aspp = ASPP(5, 4, (3,)).eval()
    wanted = {name: value.shape for name, value in aspp.state_dict().items()}
    names = {
        "weight": "branches.1.0.weight",
        "point": "branches.0",
        "norms.0.0": "branches.1.1",
        "pooling": "branches.2",
    }
    state = {}
    for key, value in ksac.state_dict().items():
        ours = next((name for name in names if key == name or key.startswith(f"{name}.")), "")
        state[names[ours] + key.removeprefix(ours) if ours else key] = value
    assert {name: value.shape for name, value in state.items()} == wanted
    aspp.load_state_dict(state)
    x = torch.rand(2, 5, 9, 11)
    assert torch.allclose(ksac(x), aspp(x), atol=1e-6)


@pytest.mark.parametrize("fuse", ["sum", "concat"])
def test_gradient_of_the_kernel_is_the_sum_over_rates(fuse):
    ksac = randomised(KSAC(5, 4, (1, 2, 4), fuse=fuse)).double()
    x = torch.rand(2, 5, 9, 11, dtype=torch.float64)
    ksac(x).square().sum().backward()
    own = [ksac.weight.detach().clone().requires_grad_() for _ in ksac.rates]
    maps = [
        norm(F.conv2d(x, weight, padding=rate, dilation=rate))
        for norm, weight, rate in zip(ksac.norms, own, ksac.rates, strict=True)
    ]
    if fuse == "sum":
        maps = [maps[0] + maps[1] + maps[2]]
    ksac.project(torch.cat([ksac.point(x), *maps, ksac.pooling(x)], dim=1)).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in own)
    assert torch.allclose(ksac.weight.grad, sum(weight.grad for weight in own), rtol=1e-9)


@pytest.mark.parametrize("fuse", ["sum", "concat"])
def test_rates_can_change_after_training(fuse):
    options = {"encoder": "test_efficientnet", "channels": 8, "fuse": fuse}
    trained = randomised(build("ksac", classes=2, **options, rates=(1, 2, 3)))
    other = build("ksac", classes=2, **options, rates=(1, 2, 5)).eval()
    other.load_state_dict(trained.state_dict())
    x = torch.rand(1, trained.encoder.channels[32], 9, 11)
    with torch.inference_mode():
        before, after = trained.aspp(x), other.aspp(x)
        assert (before - after).abs().max() > 0.01 * before.abs().max()
        other.aspp.rates = trained.aspp.rates
        assert torch.equal(before, other.aspp(x))
    with pytest.raises(RuntimeError, match=r"norms\.3"):
        build("ksac", classes=2, **options, rates=(1, 2, 3, 4)).load_state_dict(trained.state_dict())


def test_an_unknown_way_to_fuse():
    with pytest.raises(ModelError, match="fuse is 'sum' or 'concat', not 'mean'"):
        build("ksac", classes=2, encoder="test_efficientnet", fuse="mean")
