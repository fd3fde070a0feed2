"""Softmax probabilities, sums over them with gradients that take no more memory than the logits, and ratios."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK = 1 << 18
_STRETCH = 1 << 12


class _MaskedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, valid: Tensor) -> Tensor:
        p = _softmax(logits, valid)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (p,) = ctx.saved_tensors
        return torch._softmax_backward_data(grads[0], p, 1, p.dtype), None


def masked_softmax(logits: Tensor, valid: Tensor) -> Tensor:
    """Softmax over the classes, exactly 0 at elements that are not valid, whatever their logits are.

    Args:
        logits: (N, C, *S).
        valid: (N, *S) bool.
    """
    p: Tensor = _MaskedSoftmax.apply(logits, valid)
    return p


def _softmax(logits: Tensor, valid: Tensor) -> Tensor:
    p = logits.softmax(1)
    return p if bool(valid.all()) else p.masked_fill_(~valid[:, None], 0)


class _RegionSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, valid: Tensor, power: int) -> tuple[Tensor, Tensor]:
        samples, classes = logits.shape[:2]
        p = _softmax(logits, valid)
        hit = p.gather(1, labels[:, None])[:, 0]
        # A float32 sum that is added to element by element stops growing at 2^24, so short stretches are summed first.
        stretches = -(-labels.shape[1] // _STRETCH)
        stretch = torch.arange(labels.shape[1], device=labels.device) // _STRETCH
        bins = labels + classes * (stretch + stretches * torch.arange(samples, device=labels.device)[:, None])
        partial = p.new_zeros(samples * stretches * classes).index_add(0, bins.reshape(-1), hit.reshape(-1))
        overlap = partial.reshape(samples, stretches, classes).sum(1)
        mass = (p if power == 1 else p.square()).sum(2)
        ctx.save_for_backward(p, labels, hit)
        ctx.power = power
        return overlap, mass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        p, labels, hit = ctx.saved_tensors
        of_overlap, of_mass = grads
        # With g the derivative by p, the one by the logits is p (g - sum over classes of p g). Of the overlap, only the
        # true class has a derivative.
        spike = of_overlap.gather(1, labels) * hit
        grad = p * of_mass[:, :, None]
        if ctx.power == 2:
            grad.mul_(p).mul_(2)
        shared = grad.sum(1) + spike
        grad.addcmul_(p, shared[:, None], value=-1)
        return grad.scatter_add_(1, labels[:, None], spike[:, None]), None, None, None


def region_sums(logits: Tensor, target: Tensor, ignore_index: int, *, power: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """What overlap losses are made of, without a one-hot target.

    Args:
        logits: (N, C, *S).
        target: (N, *S) int64.
        ignore_index: label of elements that take no part.
        power: exponent of the probabilities in `mass`, 1 or 2.

    Returns:
        overlap: (N, C), sum of the class's probability over the elements of the class.
        mass: (N, C), sum of the class's probability, to the `power`, over all elements.
        count: (N, C), elements of the class.
    """
    samples, classes = logits.shape[:2]
    labels = target.reshape(samples, -1)
    valid = labels != ignore_index
    safe = labels.where(valid, 0)
    overlap, mass = _RegionSums.apply(logits.reshape(samples, classes, -1), safe, valid, power)
    return overlap, mass, class_counts(target, classes, ignore_index).to(mass.dtype)


def class_counts(target: Tensor, classes: int, ignore_index: int) -> Tensor:
    """(N, C) int64, elements of each class in each sample of a target (N, *S)."""
    samples = len(target)
    labels = target.reshape(samples, -1)
    offset = (classes + 1) * torch.arange(samples, device=target.device)[:, None]
    bins = labels.where(labels != ignore_index, classes) + offset
    return torch.bincount(bins.reshape(-1), minlength=samples * (classes + 1)).reshape(samples, -1)[:, :classes]


class _SumOfBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Callable[..., Tensor], x: Tensor, *others: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[1]
        total = x.new_zeros(())
        grad = torch.empty_like(x) if wanted else x
        rows = max(1, _BLOCK * len(x) // max(1, x.numel()))
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            with torch.set_grad_enabled(wanted):
                block = x[part].detach().requires_grad_(wanted)
                result = value(block, *(other[part] for other in others))
            if wanted:
                (grad[part],) = torch.autograd.grad(result, block)
            total += result.detach()
        if wanted:
            ctx.save_for_backward(grad)
        ctx.others = len(others)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return None, grad * grads[0], *[None] * ctx.others


def sum_of_blocks(value: Callable[..., Tensor], x: Tensor, *others: Tensor) -> Tensor:
    """Sum of a function of independent rows, derived block by block.

    What the function keeps for its gradient is only ever held for one block that fits a processor's cache; the
    gradient with respect to `x` is computed along with the value.

    Args:
        value: of some rows of `x`, and the same rows of `others`, gives a scalar.
        x: (R, *S), the only tensor that gets a gradient.
        others: further tensors with R rows.
    """
    total: Tensor = _SumOfBlocks.apply(value, x, *others)
    return total


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Part / whole for whole >= 0, and 0 for 0 / 0."""
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)
