"""Runtimes: what computes a network's logits; found by name."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intarsia.errors import UsageError, require, suggest
from intarsia.runtimes.contract import PRECISIONS

if TYPE_CHECKING:
    from intarsia.bundle import Description
    from intarsia.runtimes.contract import Precision, Runtime

AUTO = "auto"
"""Instead of a runtime's name: whichever is best for a model here."""
_SAME_LABELS = 0.9999


@dataclass(frozen=True)
class RuntimeKind:
    """One way to compute.

    Attributes:
        name: on the command line and in records.
        open: from a described model, a precision and a device to the network made ready.
    """

    name: str
    open: Callable[[Description, Precision, str], Runtime]


def _torch(description: Description, precision: Precision, device: str) -> Runtime:
    require("torch", "train")
    from intarsia.bundle import Bundle
    from intarsia.runtimes.torch import TorchRuntime

    return TorchRuntime.of(Bundle.of(description), precision, device)


def _require_cpu(name: str, device: str) -> None:
    if device not in (AUTO, "cpu"):
        raise UsageError(f"the runtime {name} computes on the CPU, not on {device!r}; use the runtime torch")


def _onnx(description: Description, precision: Precision, device: str) -> Runtime:
    from intarsia.runtimes.exported import exported_file
    from intarsia.runtimes.onnx import OnnxRuntime

    _require_cpu("onnx", device)
    return OnnxRuntime.of(description, exported_file(description, ".onnx"), precision)


def _openvino(description: Description, precision: Precision, device: str) -> Runtime:
    from intarsia.runtimes.exported import exported_file, find_exported
    from intarsia.runtimes.openvino import OpenVinoRuntime

    _require_cpu("openvino", device)
    beside = find_exported(description, ".xml") or find_exported(description, ".onnx")
    file = exported_file(description, ".xml") if beside is None else beside[0]
    return OpenVinoRuntime.of(description, file, precision)


RUNTIMES = {
    kind.name: kind
    for kind in (RuntimeKind("torch", _torch), RuntimeKind("onnx", _onnx), RuntimeKind("openvino", _openvino))
}
"""Every runtime by name."""


def find_runtime(name: str) -> RuntimeKind:
    """Find a runtime by name.

    Raises:
        UsageError: there is no such runtime; the message suggests the closest.
    """
    if name not in RUNTIMES:
        raise UsageError(f"no runtime is named {name!r}.{suggest(name, (AUTO, *RUNTIMES))}")
    return RUNTIMES[name]


def open_runtime(name: str, description: Description, precision: Precision, device: str) -> Runtime:
    """Make a described model ready to compute.

    Args:
        name: of the runtime; "auto" chooses one.
        description: of the model; what it came from holds its weights.
        precision: see `intarsia.runtimes.contract.Precision`.
        device: "auto", "cpu", "cuda", ...

    Raises:
        UsageError: there is no such runtime, it is not installed, or it cannot do what is asked.
        ModelError: the weights do not fit.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"no precision is named {precision!r}.{suggest(precision, PRECISIONS)}")
    if name == AUTO:
        name, precision = choose(description, precision, device)
    return find_runtime(name).open(description, precision, device)


def choose(description: Description, precision: Precision, device: str) -> tuple[str, Precision]:
    """Choose the runtime of a model, and its precision: the fastest that computes its exported network, else torch.

    An exported network starts at once, without PyTorch; beside a bundle it counts only with the bundle's own labels. If
    OpenVINO is installed, it and ONNX Runtime are measured once for a model and processor (see
    `intarsia.runtimes.choice`). A GPU, or arithmetic that the exported file lacks, needs torch.
    """
    from intarsia.runtimes.choice import SIZE, fastest, measure
    from intarsia.runtimes.exported import find_exported

    if device not in (AUTO, "cpu") or (device == AUTO and _has_gpu() and importlib.util.find_spec("torch")):
        return "torch", precision
    if os.path.splitext(description.source)[1].lower() == ".xml":  # nothing else opens it
        return "openvino", precision
    found = find_exported(description, ".onnx")
    if description.preprocessing.blocks is not None:
        own = found is not None and os.fspath(found[0]) == description.source
        return ("onnx" if own else "torch"), precision  # its dense distances grow with the square of a block
    if found is None or (os.fspath(found[0]) != description.source and found[1].agreement < _SAME_LABELS):
        return "torch", precision
    if importlib.util.find_spec("openvino") is not None:
        size = SIZE if found[1].sizes is None else found[1].sizes[0]
        best = fastest(
            description,
            precision,
            lambda: measure(lambda name, way: open_runtime(name, description, way, "cpu"), size=size),
        )
        return best or ("torch", precision)
    return ("onnx" if precision in (AUTO, found[1].precision) else "torch"), precision


def _has_gpu() -> bool:
    """Whether a GPU that torch could use is in sight, without loading torch: by the driver's files."""
    return any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd", "C:/Windows/System32/nvcuda.dll")))
