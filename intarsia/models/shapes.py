"""Networks without values: their names and shapes alone, in a small part of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# What gives weights their first values, by itself or step by step; each returns the tensor that it changes.
_FILLING = {
    nn.init.constant_, nn.init.kaiming_uniform_, nn.init.normal_, nn.init.uniform_,
    Tensor.add_, Tensor.clamp_, Tensor.erfinv_, Tensor.fill_, Tensor.mul_, Tensor.normal_, Tensor.uniform_,
    Tensor.zero_,
}  # fmt: skip


class _NothingFilled(TorchFunctionMode):
    """Leave tensors that have no memory as they are: to work out that nothing changes takes most of a building's time.

    On the meta device ``normal_`` alone goes through a dozen functions of Python.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function in _FILLING:
            tensor = args[0] if args else (kwargs or {})["tensor"]
            if tensor.is_meta:
                return tensor
        return function(*args, **(kwargs or {}))


@contextmanager
def shapes_only() -> Iterator[None]:
    """Make tensors on the meta device, where they have no memory, and draw no values for them.

    What is made on another device explicitly has its values.
    """
    with torch.device("meta"), _NothingFilled():
        yield
