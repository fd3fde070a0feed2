"""A stream's memory: plain tensors and integers under dotted names, so that it can be saved, copied and swapped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TypeAlias

from torch import Tensor

from intarsia.errors import DataError
from intarsia.files import atomic_path

State: TypeAlias = dict[str, Tensor | int]
Tensors: TypeAlias = dict[str, Tensor]

_INTEGERS = "integers"


def under(state: Mapping[str, Tensor | int], prefix: str) -> Tensors:
    """The tensors whose names start with `prefix`, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix) and isinstance(value, Tensor)
    }


def named(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The same tensors with `prefix` before their names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def integer(state: Mapping[str, Tensor | int], name: str) -> int:
    """One of the state's integers; 0 if it is not there."""
    value = state.get(name, 0)
    return int(value)


def state_bytes(state: State) -> int:
    """Memory that a state's tensors take."""
    return sum(value.numel() * value.element_size() for value in state.values() if isinstance(value, Tensor))


def save_state(path: str | os.PathLike[str], state: State) -> None:
    """Write a state as a safetensors file, to resume the stream later or elsewhere."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in under(state, "").items()}
    integers = {name: value for name, value in state.items() if isinstance(value, int)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={_INTEGERS: json.dumps(integers)}))


def load_state(path: str | os.PathLike[str]) -> State:
    """Read what `save_state` wrote.

    Raises:
        DataError: no such file, or not a saved state.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            integers = json.loads((file.metadata() or {})[_INTEGERS])
            state: State = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a stream's saved state ({error}); write one with save_state") from error
    return state | {name: int(value) for name, value in integers.items()}
