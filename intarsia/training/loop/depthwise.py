"""A faster, and right, backward pass for depthwise convolutions in bfloat16 on CPU.

oneDNN's bfloat16 kernels are fast forward, but the gradient of a strided depthwise convolution with respect to its
input, and of a large kernel with respect to its weight, run many times slower than they could. The same gradients
are computed here by the operations that are fast: a stride-1 convolution of the zero-stuffed output gradient with the
flipped kernel, and float32 arithmetic for the weight.

The weight's gradient of a dilated depthwise convolution is not only slow but wrong there (seen with torch 2.15.0: for
maps at least 30 wide it differs from the float32 one by its own size, sometimes it is infinite), so that it is always
taken in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LARGE_KERNEL = 5


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding, dilation)
        return F.conv2d(x, weight, None, stride, padding, dilation, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.geometry
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            reach = dilation * (weight.shape[2] - 1)
            stuffed = grad
            if stride > 1:
                height, width = (size - reach + 2 * padding for size in x.shape[2:])
                stuffed = grad.new_zeros((*grad.shape[:2], height, width)).contiguous(memory_format=torch.channels_last)
                stuffed[:, :, ::stride, ::stride][:, :, : grad.shape[2], : grad.shape[3]] = grad
            grad_x = F.conv2d(stuffed, weight.flip(2, 3), None, 1, reach - padding, dilation, groups=weight.shape[0])
        if ctx.needs_input_grad[1]:
            wide = torch.float32 if weight.shape[2] >= _LARGE_KERNEL or dilation > 1 else weight.dtype
            grad_weight = torch.ops.aten.convolution_backward(
                grad.to(wide), x.to(wide), weight.to(wide), None,
                [stride, stride], [padding, padding], [dilation, dilation], False, [0, 0], weight.shape[0],
                [False, True, False],
            )[1].to(weight.dtype)  # fmt: skip
        return grad_x, grad_weight, None, None, None


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise ``nn.Conv2d`` (same weights, same results) with the fast backward pass under CPU autocast."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and input.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(input)
        dtype = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            out: Tensor = _Depthwise.apply(
                input.to(dtype), self.weight.to(dtype), self.stride[0], int(self.padding[0]), self.dilation[0]
            )
            return out if self.bias is None else out + self.bias.to(dtype)[:, None, None]


def use_fast_depthwise(model: nn.Module) -> None:
    """Switch every plain square depthwise convolution of `model` to `DepthwiseConv2d`, in place."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain_depthwise(module):
            module.__class__ = DepthwiseConv2d


def _is_plain_depthwise(conv: nn.Conv2d) -> bool:
    square = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.dilation))
    symmetric = isinstance(conv.padding, tuple) and len(set(conv.padding)) == 1 and conv.padding_mode == "zeros"
    return square and symmetric and conv.groups == conv.in_channels == conv.out_channels > 1
