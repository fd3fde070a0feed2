"""Who computes a dense CRF: compiled loops, PyTorch, or all pairs exactly."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError, require, suggest
from intarsia.refine.crf.kernels import Kernel

Floats = NDArray[np.float32]
BackendName = Literal["auto", "numba", "torch", "exact"]
_NAMES = ("auto", "numba", "torch", "exact")


class MeanField(Protocol):
    """Marginals that are improved step by step."""

    def start(self, marginals: Floats | None = None) -> None:
        """Begin with what the unary energies say alone, or with given marginals (C, N)."""

    def step(self) -> None:
        """One parallel update of all marginals."""

    def messages(self) -> Floats:
        """Compute what the pairwise terms add to the log-probabilities at present, (C, N)."""

    def read(self, out: Floats, rows: Sequence[int]) -> None:
        """Put the marginals of class i into ``out[rows[i]]``, (N,) each."""


@dataclass(frozen=True)
class Backend:
    """One way to compute.

    Attributes:
        build: from a kernel to its filter, the costly part, which may be used again.
        mean_field: from unary energies (C, N) and pairs of filter and affinity to the mean field. An affinity is what a
            class gains from each class nearby, as a (C, C) matrix, or from itself only, as one number (Potts).
    """

    build: Callable[[Kernel], Any]
    mean_field: Callable[[Floats, Sequence[tuple[Any, float | Floats]]], MeanField]


def find_backend(name: BackendName, device: str = "cpu") -> Backend:
    """A backend by name; "auto" takes Numba on the CPU if it is installed, else PyTorch.

    Args:
        name: which.
        device: where PyTorch computes.

    Raises:
        UsageError: no such backend, or its package is not installed.
    """
    if name not in _NAMES:
        raise UsageError(f"no CRF backend is named {name!r}.{suggest(name, _NAMES)}")
    if name == "exact":
        from intarsia.refine.crf import exact, tensors

        return Backend(partial(exact.build, device=device), partial(tensors.MeanField, device=device))
    on_cpu = device.partition(":")[0] == "cpu"
    if name == "auto" and on_cpu and importlib.util.find_spec("numba") is None:
        warnings.warn(
            "the dense CRF runs on PyTorch, which takes three to five times as long as on Numba: "
            "pip install 'intarsia[crf]'",
            stacklevel=3,
        )
        name = "torch"
    if name == "torch" or (name == "auto" and not on_cpu):
        from intarsia.refine.crf import tensors

        return Backend(partial(tensors.build, device=device), partial(tensors.MeanField, device=device))
    require("numba", "crf")
    from intarsia.refine.crf.compiled import filters, meanfield

    return Backend(filters.build, meanfield.MeanField)
