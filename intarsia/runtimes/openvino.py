"""OpenVINO: an exported network on the CPU, from its own form of file or from an ONNX file, without PyTorch."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.bundle import Description, Exported, irfile, onnxfile
from intarsia.errors import ModelError, UsageError
from intarsia.media.source import Place
from intarsia.runtimes.computed import require_logits
from intarsia.runtimes.contract import Floats, Precision
from intarsia.runtimes.kept import compiled
from intarsia.runtimes.openvino_library import library
from intarsia.runtimes.processor import feature
from intarsia.threads import cores

_LIMIT = "ONEDNN_MAX_CPU_ISA"
_ROUNDED = ("bf16", "fp32")  # one file serves both, where the processor has bfloat16


class OpenVinoRuntime:
    """A network that OpenVINO computes; see `Runtime`.

    Args:
        file: a graph of OpenVINO (.xml, its numbers beside it) or an ONNX file, as `intarsia.export` writes them.
        classes: how many its logits must have.
        precision: "auto" for that in which it was exported, as far as the processor has it; of a file in fp32 or bf16
            either can be asked for.
        threads: that compute it; None: as many as this process may use.

    Raises:
        UsageError: OpenVINO is not installed, or the file or the processor does not have the precision.
        ModelError: the file is missing, damaged, by somebody else, or not for so many classes.
    """

    name = "openvino"

    def __init__(self, file: Path, classes: int, *, precision: Precision = "auto", threads: int | None = None) -> None:
        library()
        exported = Exported.load(file)
        self.stride, self.align_corners, self.margin = exported.stride, exported.align_corners, exported.margin
        self.precision = _precision(file, exported, precision)
        self.processor = f"cpu {feature()}"
        self._file, self._exported = file, exported
        self._network = _compiled(file, self.precision, threads or cores())
        self.in_channels = _channels(file, self._network.inputs)
        made = _channels(file, self._network.outputs)
        if made != classes:
            raise ModelError(f"{file}: its network gives {made} classes, and its description names {classes}")

    @classmethod
    def of(cls, description: Description, file: Path, precision: Precision) -> OpenVinoRuntime:
        """Open a described model's exported file; for the errors, see the class."""
        return cls(file, len(description.space), precision=precision)

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        self._exported.require_size(x.shape[2], x.shape[3], self._file)
        try:
            found = self._network(np.ascontiguousarray(x), share_inputs=True)[0]
        except RuntimeError as error:
            raise ModelError(f"{self._file}: OpenVINO cannot compute it: {_last_line(error)}") from error
        require_logits(found, x.shape[2:], self.stride, self._file)
        logits: Floats = np.array(found, dtype=np.float32)
        return logits


@cache
def core() -> Any:
    """Open OpenVINO, once for the whole process: what reads and compiles its networks.

    While a `Core` lives, signals run on memory of its own (for processors with AMX). If several go in another order
    than they came, that memory is one that was given back, and the next Ctrl-C ends the process. So there is one.

    ``ONEDNN_MAX_CPU_ISA`` keeps OpenVINO's own oneDNN from instructions that the rest of OpenVINO counts on, which
    ends in refusals or the death of the process. It is read once, when the processor is first asked for: hidden here.

    Raises:
        UsageError: it is not installed.
    """
    opened = library().Core()
    limit = os.environ.pop(_LIMIT, None)
    try:
        opened.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    finally:
        if limit is not None:
            os.environ[_LIMIT] = limit
    return opened


@cache
def has_bf16() -> bool:
    """Tell whether OpenVINO computes in bfloat16 itself on this processor."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _precision(file: Path, exported: Exported, wanted: Precision) -> str:
    """The precision to compute in."""
    own = exported.precision
    if wanted == "auto":
        return "fp32" if own == "bf16" and not has_bf16() else own
    if wanted != own and not (own in _ROUNDED and wanted in _ROUNDED):
        raise UsageError(f"{file} was exported in {own}; use auto, or export it again with --precision {wanted}")
    if wanted == "bf16" and not has_bf16():
        raise UsageError("cpu does not compute in bfloat16 here (see: intarsia doctor); use auto or fp32")
    return wanted


def _compiled(file: Path, precision: str, threads: int) -> Any:
    """Compile a network that reads nothing but its files, whose threads leave the cores to others."""
    if file.suffix.lower() == ".xml":
        files = [file, irfile.check(file)]
    else:
        onnxfile.check(file)
        files = [file]
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
    }  # fmt: skip
    try:
        return compiled(core(), files, settings)
    except RuntimeError as error:
        raise ModelError(f"{file}: OpenVINO cannot open it: {_last_line(error)}") from error


def _channels(file: Path, ports: Any) -> int:
    """The second side of a network's only input or output."""
    shapes = [port.get_partial_shape() for port in ports]
    if len(shapes) != 1 or shapes[0].rank.is_dynamic or len(shapes[0]) != 4 or shapes[0][1].is_dynamic:
        raise ModelError(f"{file}: its network is not one of pictures (N, C, H, W) to logits (N, K, h, w)")
    return int(shapes[0][1].get_length())


def _last_line(error: Exception) -> str:
    """What is wrong; before it stands where in OpenVINO's own source it was found."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
