"""1x1 convolutions as matrix products give the results and gradients of the plain ones."""

import copy

import pytest
import torch
from torch import nn

from intarsia.models import build
from intarsia.training.loop.pointwise import PointwiseConv2d, use_fast_pointwise


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (8, 4)])
def test_results_and_gradients_equal_the_plain_convolution(one_thread, form, bias, size):
    torch.manual_seed(0)
    plain = nn.Conv2d(5, 3, 1, bias=bias)
    fast = copy.deepcopy(plain)
    use_fast_pointwise(nn.ModuleList([fast]))
    assert type(fast) is PointwiseConv2d
    x = torch.randn(2, 5, *size).to(memory_format=form)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected, out = plain(theirs), fast(ours)
    upstream = torch.randn_like(expected)
    expected.backward(upstream)
    out.backward(upstream)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    for found, wanted in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)


def test_maps_stay_channels_last(one_thread):
    conv = nn.Conv2d(4, 8, 1)
    use_fast_pointwise(nn.ModuleList([conv]))
    x = torch.randn(2, 4, 6, 5).to(memory_format=torch.channels_last).requires_grad_()
    out = conv(x)
    out.backward(torch.randn_like(out))
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


def test_autocast_and_eval_stay_as_they_are(one_thread):
    plain = nn.Conv2d(4, 4, 1)
    fast = copy.deepcopy(plain)
    use_fast_pointwise(nn.ModuleList([fast]))
    x = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(x), plain(x))
    assert torch.equal(fast.eval()(x), plain(x))


def test_only_plain_1x1_layers_are_switched_and_weights_keep_their_names():
    model = build("deeplabv3plus", classes=2, encoder="test_efficientnet", channels=8)
    names = list(model.state_dict())
    use_fast_pointwise(model)
    assert list(model.state_dict()) == names
    switched = [module for module in model.modules() if isinstance(module, PointwiseConv2d)]
    assert len(switched) > 3
    for module in switched:
        assert module.weight.shape[2:] == (1, 1)
        assert module.stride == (1, 1)
