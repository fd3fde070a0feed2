"""What a network costs: its parameters, and the arithmetic of one image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from intarsia.models.contract import SegmentationModel
from intarsia.models.registry import Architecture, architecture, build
from intarsia.models.shapes import shapes_only

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Number of trainable values, those of auxiliary heads included."""
    return sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """Count what runs: convolutions, and matrix products, those of attention among them."""
    from torch.utils.flop_counter import FlopCounterMode  # which brings Triton: every command would wait for it

    # Attention as the products that it is: of its fused kernels, the CPU's are not counted.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def is_counted(known: Architecture) -> bool:
    """Whether `gmacs` says something of an architecture: features and trees multiply nothing, clouds have no size."""
    return not known.fitted and known.takes.has_size


def gmacs(model: SegmentationModel, size: tuple[int, int] = (512, 512)) -> float:
    """Multiply-accumulates, in thousand millions, that the prediction of one image takes.

    Convolutions and matrix products, those of attention among them, are counted; norms, activations and resizing are
    not, as in the papers' tables.
    Only shapes are computed: no arithmetic is done, and no memory is needed beyond the model's own (a model built
    under ``torch.device("meta")`` has none).

    Args:
        model: the network; auxiliary heads, which only training uses, do not count.
        size: height and width of the image in pixels.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    # Not the meta device: some layers ask what their input's device can do, and meta's can do nothing.
    with FakeTensorMode(), counting() as counter, torch.no_grad():
        tensors = {
            name: torch.empty(tensor.shape, dtype=tensor.dtype)
            for name, tensor in (*model.named_parameters(), *model.named_buffers())
        }
        functional_call(model, tensors, (torch.empty(1, model.in_channels, *size),))
    for module, mode in modes.items():
        module.training = mode
    return float(counter.get_total_flops() / 2e9)


def gflop_per_megapixel(name: str, classes: int, options: Mapping[str, Any]) -> float | None:
    """Operations, in thousand millions, that a million pixels take: two a multiply-accumulate, on 1024x1024.

    Args:
        name: of the architecture.
        classes: its output channels.
        options: its others.

    Returns:
        None for what is not a network of pictures; see `is_counted`.
    """
    if not is_counted(architecture(name)):
        return None
    with shapes_only():
        model = build(name, classes=classes, **options)
    return 2 * gmacs(model, (1024, 1024)) / (1024 * 1024 / 1e6)
