"""The fast backward pass of depthwise convolutions gives the gradients of the plain one."""

import copy

import pytest
import torch
from torch import nn

from intarsia.models import build
from intarsia.training.loop.depthwise import DepthwiseConv2d, use_fast_depthwise

# (kernel, stride, padding, dilation, height, width)
SHAPES = [
    (kernel, stride, dilation * (kernel // 2), dilation, *size)
    for kernel in (3, 5, 7)
    for stride in (1, 2, 3)
    for dilation in (1, 2)
    for size in ((16, 16), (13, 31))
] + [
    (3, 1, 6, 6, 20, 26),
    (3, 1, 18, 18, 10, 13),  # all but the middle of the kernel lies outside
    (3, 2, 12, 12, 15, 11),
    (5, 1, 6, 3, 9, 14),
    (5, 1, 0, 1, 9, 14),
    (5, 2, 0, 2, 18, 19),
    (3, 1, 3, 1, 6, 7),  # more padding than the kernel reaches
    (5, 2, 6, 1, 8, 7),
    (1, 1, 0, 1, 5, 6),
    (4, 1, 2, 2, 12, 9),
    (5, 1, 2, 1, 1, 1),
    (3, 1, 4, 4, 1, 2),
]


def gradients(conv, x, upstream=None):
    x = x.clone().requires_grad_()
    out = conv(x)
    upstream = torch.ones_like(out) if upstream is None else upstream.to(out.dtype)
    out.backward(upstream)
    return [out.detach(), x.grad, *(parameter.grad for parameter in conv.parameters())]


def pair(kernel, stride, padding, dilation, *, channels=6, bias=True):
    plain = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=bias)
    fast = copy.deepcopy(plain)
    use_fast_depthwise(nn.ModuleList([fast]))
    assert type(fast) is DepthwiseConv2d
    return plain, fast


@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_equal_those_of_the_plain_convolution(shape, form):
    torch.manual_seed(0)
    *geometry, height, width = shape
    plain, fast = pair(*geometry, bias=height % 2 == 0)
    x = torch.randn(2, 6, height, width).to(memory_format=form)
    upstream = torch.randn_like(plain(x))
    for found, wanted in zip(gradients(fast, x, upstream), gradients(plain, x, upstream), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_under_autocast_equal_those_of_float32(shape):
    torch.manual_seed(0)
    *geometry, height, width = shape
    plain, fast = pair(*geometry)
    x = torch.randn(2, 6, height, width).to(memory_format=torch.channels_last)
    upstream = torch.randn_like(plain(x))
    wanted = gradients(plain, x, upstream)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(fast, x, upstream)
    assert found[0].dtype == torch.bfloat16
    for ours, theirs in zip(found[:3], wanted[:3], strict=True):
        assert ((ours - theirs).abs().max() / theirs.abs().max()).item() < 0.02
    torch.testing.assert_close(found[3], wanted[3], rtol=0.02, atol=0.1)


@pytest.mark.parametrize(
    "geometry",
    [(3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 5, 5), (5, 1, 4, 2), (5, 2, 2, 1), (5, 2, 4, 2), (3, 2, 4, 1)],
    ids=str,
)
def test_gradients_are_the_derivative(geometry):
    torch.manual_seed(0)
    _, fast = pair(*geometry, channels=2)
    fast = fast.double()
    x = torch.randn(2, 2, 5, 7, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight, bias: fast(x), (x, fast.weight, fast.bias))


def test_gradients_repeat_bit_for_bit():
    torch.manual_seed(0)
    _, fast = pair(5, 1, 4, 2)
    x = torch.randn(3, 6, 20, 26).to(memory_format=torch.channels_last)
    again = copy.deepcopy(fast)
    for first, second in zip(gradients(fast, x), gradients(again, x), strict=True):
        assert torch.equal(first, second)


def test_only_what_needs_a_gradient_gets_one():
    _, fast = pair(3, 1, 2, 2)
    out = fast(torch.randn(1, 6, 8, 8))
    out.sum().backward()
    assert fast.weight.grad is not None
    fast.requires_grad_(False)
    assert not fast(torch.randn(1, 6, 8, 8)).requires_grad


def test_in_eval_nothing_changes():
    torch.manual_seed(0)
    plain, fast = pair(3, 1, 1, 1, channels=4)
    x = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast.eval()(x), plain(x))
    assert torch.equal(fast(x), plain(x))


def test_only_plain_depthwise_layers_are_switched_and_weights_keep_their_names():
    model = build("deeplabv3plus", classes=2, encoder="test_efficientnet", channels=8)
    names = list(model.state_dict())
    use_fast_depthwise(model)
    assert list(model.state_dict()) == names
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups == module.in_channels == module.out_channels > 1
            assert isinstance(module, DepthwiseConv2d) == depthwise
