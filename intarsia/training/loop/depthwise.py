"""Depthwise convolutions that train fast on CPU: both of their gradients as forward convolutions.

oneDNN's forward kernels of depthwise convolutions are fast, its backward ones often are not: the weight's gradient of a
dilated convolution takes twenty times as long as the convolution itself, in bfloat16 it is wrong besides (seen with
torch 2.15.0: for maps at least 30 wide it differs from the float32 one by its own size, sometimes it is infinite), and
both gradients are slow for large kernels, wide dilations, and strides in bfloat16. But both are depthwise convolutions
themselves, which the forward kernels compute exactly:

* by the input: the output's gradient, with zeros between its rows and columns if there is a stride, convolved with the
  flipped kernel;
* by the weight: each picture convolved with its output gradient as the kernel, where stride and dilation change places.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# From here on oneDNN's gradient by the weight is slower than a convolution with the output's gradient.
_LARGE_KERNEL = 5
# oneDNN's kernels for channels-last maps pad by so much themselves; beyond, it takes a matrix product for each channel.
_OWN_PADDING = 4


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding, dilation)
        return _convolve(x, weight, bias, stride, padding, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        by_input, by_weight, by_bias = ctx.needs_input_grad[:3]
        return (
            _input_gradient(grad, x, weight, *ctx.geometry) if by_input else None,
            _weight_gradient(grad, x, weight, *ctx.geometry) if by_weight else None,
            grad.sum((0, 2, 3)) if by_bias else None,
            *[None] * 3,
        )


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int) -> Tensor:
    if padding > _OWN_PADDING:
        x, padding = F.pad(x, [padding] * 4), 0
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups=len(weight))


def _input_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
    if stride > 1 and dilation == 1 and grad.dtype != torch.bfloat16:
        return _own_gradients(grad, x, weight, stride, padding, dilation, [True, False, False])[0]
    reach = dilation * (weight.shape[2] - 1)
    if stride > 1:
        height, width = (size - reach + 2 * padding for size in x.shape[2:])
        size = (*grad.shape[:2], height, width)
        spread = torch.empty(size, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last)
        spread.zero_()
        spread[:, :, ::stride, ::stride][:, :, : grad.shape[2], : grad.shape[3]] = grad
        grad = spread
    if padding > reach:
        rim = padding - reach
        grad, padding = grad[:, :, rim:-rim, rim:-rim], reach
    return _convolve(grad, weight.flip(2, 3), None, 1, reach - padding, dilation)


def _weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
    side = weight.shape[2]
    if side < _LARGE_KERNEL and dilation == 1:
        return _own_gradients(grad, x, weight, stride, padding, dilation, [False, True, False])[1]
    wide = torch.promote_types(weight.dtype, torch.float32)
    total = torch.zeros_like(weight, dtype=wide)
    for number in range(len(x)):
        # Of a slice, unlike of an item, torch knows that it is channels-last.
        image, kernel = x[number : number + 1].to(wide), grad[number][:, None].to(wide)
        moved = F.conv2d(image, kernel, None, dilation, padding, stride, groups=len(weight))
        total += moved[0, :, None, :side, :side]
    return total.to(weight.dtype)


def _own_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int, wanted: list[bool]
) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        grad, x, weight, None,
        [stride, stride], [padding, padding], [dilation, dilation], False, [0, 0], len(weight), wanted,
    )  # fmt: skip
    return found


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise ``nn.Conv2d`` (same weights, same results) with the fast backward pass when it trains on CPU."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.weight.dtype
        with torch.autocast("cpu", enabled=False):
            bias = None if self.bias is None else self.bias.to(dtype)
            out: Tensor = _Depthwise.apply(
                input.to(dtype), self.weight.to(dtype), bias, self.stride[0], int(self.padding[0]), self.dilation[0]
            )
            return out


def use_fast_depthwise(model: nn.Module) -> None:
    """Switch every plain square depthwise convolution of `model` to `DepthwiseConv2d`, in place."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain_depthwise(module):
            module.__class__ = DepthwiseConv2d


def _is_plain_depthwise(conv: nn.Conv2d) -> bool:
    square = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.dilation))
    symmetric = isinstance(conv.padding, tuple) and len(set(conv.padding)) == 1 and conv.padding_mode == "zeros"
    return square and symmetric and conv.groups == conv.in_channels == conv.out_channels > 1
