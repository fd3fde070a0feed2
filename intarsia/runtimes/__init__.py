"""Runtimes: what computes a network's logits; found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intarsia.errors import UsageError, suggest

if TYPE_CHECKING:
    from intarsia.bundle import Bundle
    from intarsia.runtimes.contract import Precision, Runtime


@dataclass(frozen=True)
class RuntimeKind:
    """One way to compute.

    Attributes:
        name: on the command line and in records.
        open: from a bundle, a precision and a device to the network made ready.
    """

    name: str
    open: Callable[[Bundle, Precision, str], Runtime]


def _torch(bundle: Bundle, precision: Precision, device: str) -> Runtime:
    from intarsia.runtimes.torch import TorchRuntime

    return TorchRuntime.of(bundle, precision, device)


RUNTIMES = {kind.name: kind for kind in (RuntimeKind("torch", _torch),)}
"""Every runtime by name."""


def find_runtime(name: str) -> RuntimeKind:
    """Find a runtime by name.

    Raises:
        UsageError: there is no such runtime; the message suggests the closest.
    """
    if name not in RUNTIMES:
        raise UsageError(f"no runtime is named {name!r}.{suggest(name, RUNTIMES)}")
    return RUNTIMES[name]
