"""Tensors among processes: each has all of them, or a part of each (`sharding`); checkpoints hold them whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from intarsia.training.distributed import World, tensor_of_first, text_of_first
from intarsia.training.loop.checkpoint import Checkpoint

_GRADIENTS = "gradients"


def whole(tensor: Tensor) -> Tensor:
    """A tensor that may be divided among processes as a whole, in each of them; all have to ask."""
    full: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


def part(tensor: Tensor, like: Tensor | None) -> Tensor:
    """This process's part of a whole tensor, divided as `like` is; all of it if `like` is not, or of another shape."""
    if like is None or not hasattr(like, "full_tensor") or like.shape != tensor.shape:
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor  # which takes seconds to import

    assert isinstance(like, DTensor)
    divided = distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
    return divided.clone()  # which lets the whole one go


def own(tensor: Tensor) -> Tensor:
    """The part that this process holds, as a plain tensor that shares its memory."""
    local: Callable[[], Tensor] | None = getattr(tensor, "to_local", None)
    return tensor if local is None else local()


def gathered(groups: Mapping[str, Mapping[str, Tensor]], world: World) -> dict[str, dict[str, Tensor]]:
    """Groups of named tensors, whole, in the main process; empty groups in the others. All have to ask.

    Only one tensor is held whole at a time where it is not kept.
    """
    kept: dict[str, dict[str, Tensor]] = {group: {} for group in groups}
    for group, tensors in groups.items():
        for name, tensor in tensors.items():
            full = whole(tensor)
            if world.is_main:
                kept[group][name] = full.detach().cpu()
    return kept


def gradients(model: nn.Module, world: World) -> dict[str, dict[str, Tensor]]:
    """The gradients that are summed up and not used yet, for a checkpoint; all processes have to ask.

    Returns:
        One group where each process has a part. Else, in the main process, a group for each: it sums up its own
        gradients before all are averaged.
    """
    held = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if world.size == 1 or any(hasattr(tensor, "full_tensor") for tensor in held.values()):
        return {_GRADIENTS: held}
    groups: dict[str, dict[str, Tensor]] = {_group(rank): {} for rank in range(world.size)}
    for name, gradient in held.items():
        sent = gradient.contiguous()
        found = [torch.empty_like(sent) for _ in range(world.size)] if world.is_main else None
        dist.gather(sent, found)
        for rank, tensor in enumerate(found or ()):
            groups[_group(rank)][name] = tensor
    return groups


def own_gradients(groups: Mapping[str, Mapping[str, Tensor]], world: World) -> dict[str, Tensor]:
    """What `gradients` says of this process; the mean, where there were more or fewer processes."""
    stored = [tensors for group, tensors in groups.items() if group.partition("-")[0] == _GRADIENTS]
    if len(stored) == world.size > 1:
        return dict(groups[_group(world.rank)])
    names = stored[0] if stored else {}
    return {name: torch.stack([tensors[name] for tensors in stored]).mean(0) for name in names}


def settle(network: nn.Module, inputs: Tensor) -> None:
    """Have DistributedDataParallel group the gradients for good, by a pass there and back before the first step.

    It groups them anew after its first step, in the order in which they came. A resumed run would make its first step
    in the groups of the beginning, and add up those of three and more processes in another order than one that was
    never interrupted. Weights, statistics and gradients stay as they are.

    Args:
        network: what training calls.
        inputs: of the shape of this process's part of a batch.
    """
    gradients = [(parameter, parameter.grad) for parameter in network.parameters()]
    buffers = [buffer.clone() for buffer in network.buffers()]
    network.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack([output[0].float().mean() for output in network.train()(inputs)]).sum())
    for parameter, gradient in gradients:
        parameter.grad = gradient
    for buffer, before in zip(network.buffers(), buffers, strict=True):
        buffer.copy_(before)


def _group(rank: int) -> str:
    return f"{_GRADIENTS}-{rank}" if rank else _GRADIENTS


def of_first(found: Checkpoint | None, world: World, like: Callable[[str, str], Tensor | None]) -> Checkpoint | None:
    """The main process's checkpoint, in every process; of divided tensors each gets its part.

    Only the main process reads files, so that no two can continue from different ones.

    Args:
        found: what the main process found; not looked at in the others.
        world: this process among all.
        like: by group and name, the tensor that one of the checkpoint goes into, if it may be divided.
    """
    if world.size == 1:
        return found
    header = "" if found is None else json.dumps({"state": found.state, "tensors": _shapes(found)})
    header = text_of_first(header, world)
    if not header:
        return None
    said: dict[str, Any] = json.loads(header)
    tensors: dict[str, dict[str, Tensor]] = {}
    for group, entries in said["tensors"].items():
        tensors[group] = {}
        for name, (dtype, shape) in entries.items():
            given = found.tensors[group][name] if found is not None and world.is_main else None
            full = tensor_of_first(given, tuple(shape), getattr(torch, dtype), world)
            tensors[group][name] = part(full, like(group, name))
    return Checkpoint(tensors, said["state"])


def _shapes(checkpoint: Checkpoint) -> dict[str, dict[str, tuple[str, list[int]]]]:
    return {
        group: {name: (str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in tensors.items()}
        for group, tensors in checkpoint.tensors.items()
    }
