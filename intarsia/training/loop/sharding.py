"""Divide a model among processes (FSDP2), so that each holds a part of its weights, gradients and optimiser's state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from intarsia.errors import UsageError
from intarsia.training.distributed import World

_PARTS = 8  # a unit holds at most this share of the weights, which is what is whole at a time
_LEAST = 1 << 14  # weights; of smaller modules the messages would cost more than the memory that they save


def require_many(world: World) -> None:
    """Refuse to divide a model where there is nobody to divide it with.

    Raises:
        UsageError: there is one process.
    """
    if world.size == 1:
        raise UsageError(
            "training.shard divides a model among processes, and there is one: start several (torchrun "
            "--nproc-per-node N -m intarsia train ...), or leave training.shard out"
        )


def shard(passes: nn.Module, model: nn.Module, called: set[nn.Module], world: World) -> None:
    """Divide `passes`, which training calls, in place; its parameters become DTensors, on the process's device.

    Each unit is gathered just before it computes, forwards and backwards, and let go thereafter. A unit is a module
    that is called once a pass and holds at most an eighth of the weights; what is in none stays whole for the pass.

    Args:
        passes: what training calls; has `model` in it.
        model: whose parts become units.
        called: the modules that may be units, see `called_once`.
        world: this process among all, more than one.
    """
    from torch.distributed.device_mesh import init_device_mesh  # these take seconds to import
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    for unit in units(model, called):
        fully_shard(unit, mesh=mesh, reshard_after_forward=True)
    # What is left stays whole until its gradients are there.
    fully_shard(passes, mesh=mesh, reshard_after_forward=False)


def units(model: nn.Module, called: set[nn.Module]) -> Iterator[nn.Module]:
    """The modules that are divided as one each, none within another."""
    most = sum(parameter.numel() for parameter in model.parameters()) // _PARTS
    yield from _units(model, called, most)


def _units(module: nn.Module, called: set[nn.Module], most: int) -> Iterator[nn.Module]:
    for child in module.children():
        size = sum(parameter.numel() for parameter in child.parameters())
        if size < _LEAST:
            continue
        if child in called and (size <= most or not any(child.children())):
            yield child
        else:
            yield from _units(child, called, most)


def called_once(passes: nn.Module, shape: Sequence[int]) -> set[nn.Module]:
    """The modules whose forward runs exactly once in a pass over inputs of a shape.

    It is one pass in training's mode, on the model's device; weights and statistics stay as they are.
    """
    calls: Counter[nn.Module] = Counter()

    def count(module: nn.Module, _: Any) -> None:
        calls[module] += 1

    hooks = [module.register_forward_pre_hook(count) for module in passes.modules()]
    buffers = [buffer.clone() for buffer in passes.buffers()]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        passes.train()(torch.rand(*shape))
    for buffer, before in zip(passes.buffers(), buffers, strict=True):
        buffer.copy_(before)
    for hook in hooks:
        hook.remove()
    return {module for module, number in calls.items() if number == 1}
