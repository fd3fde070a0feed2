"""The fast depthwise backward pass gives the gradients of the plain one."""

import copy

import pytest
import torch
from torch import nn

from intarsia.models import build
from intarsia.training.loop.depthwise import DepthwiseConv2d, use_fast_depthwise


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [(17, 20), (16, 16), (13, 31)])
def test_gradients_equal_plain_convolution(kernel, stride, dilation, size):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, kernel, stride, dilation * (kernel // 2), dilation, groups=6)
    fast = copy.deepcopy(plain)
    use_fast_depthwise(nn.ModuleList([fast]))
    assert type(fast) is DepthwiseConv2d
    x = torch.randn(2, 6, *size).to(memory_format=torch.channels_last)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected = plain(theirs)
    upstream = torch.randn_like(expected)
    expected.backward(upstream)
    with torch.autocast("cpu", torch.bfloat16):
        out = fast(ours)
    assert out.dtype == torch.bfloat16
    out.backward(upstream.bfloat16())
    for found, wanted in [(out, expected), (ours.grad, theirs.grad), (fast.weight.grad, plain.weight.grad)]:
        assert ((found - wanted).abs().max() / wanted.abs().max()).item() < 0.02
    assert torch.allclose(fast.bias.grad, plain.bias.grad, rtol=0.02, atol=0.1)


def test_without_autocast_or_in_eval_nothing_changes():
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 4, 3, padding=1, groups=4)
    fast = copy.deepcopy(plain)
    use_fast_depthwise(nn.ModuleList([fast]))
    x = torch.randn(1, 4, 8, 8)
    assert torch.equal(fast(x), plain(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast.eval()(x), plain(x))


def test_only_plain_depthwise_layers_are_switched_and_weights_keep_their_names():
    model = build("deeplabv3plus", classes=2, encoder="test_efficientnet", channels=8)
    names = list(model.state_dict())
    use_fast_depthwise(model)
    assert list(model.state_dict()) == names
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups == module.in_channels == module.out_channels > 1
            assert isinstance(module, DepthwiseConv2d) == depthwise
