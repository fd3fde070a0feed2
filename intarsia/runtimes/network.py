"""Network: any bundled ONNX network with named outputs, on ONNX Runtime, without PyTorch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description, onnxfile
from intarsia.errors import ModelError
from intarsia.files import is_text
from intarsia.runtimes.contract import Floats
from intarsia.threads import cores
from intarsia.zoo import is_bundled

_FLOATS = "tensor(float)"
_WHERE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:|Exception during initialization: "
    r"|\S*/onnxruntime/core/[^(]*\([^)]*\) (?:status\.IsOK\(\) was false\. )?|\b\w+\.cc:\d+ \w+ "
)


class Network:
    """A network of one input in an ONNX file, made ready to compute; its threads do not spin.

    Args:
        file: whole by itself, as every bundled one is.
        threads: that compute it; None: as many as this process may use.
        brief: it will compute but a few inputs: it opens in a third of the time, and takes half as long again for each.

    Attributes:
        file: that it came from.
        shape: of its input; a name where any length will do.
        outputs: shape of each of its outputs, by name.

    Raises:
        ModelError: the file is missing, damaged, or its network takes more than one input or is not of float32.
    """

    def __init__(self, file: Path, *, threads: int | None = None, brief: bool = False) -> None:
        self._session = open_session(file, threads, brief=brief)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{file}: its network takes {len(inputs)} inputs, not one")
        for port in (*inputs, *self._session.get_outputs()):
            if port.type != _FLOATS:
                raise ModelError(f"{file}: {port.name} of its network is a {port.type}, not float32; export it again")
        self.file = file
        self.shape: tuple[int | str | None, ...] = tuple(inputs[0].shape)
        self.outputs: dict[str, tuple[int | str | None, ...]] = {
            one.name: tuple(one.shape) for one in self._session.get_outputs()
        }
        self._input = inputs[0].name

    @cached_property
    def description(self) -> Description:
        """All that its file tells besides the network.

        Raises:
            ModelError: the file holds none.
        """
        return Description.load(self.file)

    def run(self, x: Floats) -> dict[str, Floats]:
        """Compute all outputs.

        Args:
            x: float32, in the shape of the input.

        Returns:
            Each output by its name, float32.

        Raises:
            ModelError: it cannot compute an input of this shape.
        """
        return computed(self._session, {self._input: np.ascontiguousarray(x)}, self.file)


def open_session(file: Path, threads: int | None = None, *, brief: bool = False) -> Any:
    """Open an ONNX file in ONNX Runtime, so that its threads do not spin.

    Args:
        file: whole by itself.
        threads: that compute it; None: as many as this process may use.
        brief: see `Network`.

    Raises:
        ModelError: the file is missing or damaged.
    """
    # From version 1.32 on its packages tell Microsoft of their use and keep a name for this machine, unless told not to
    # before they are imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    if not is_bundled(file):
        onnxfile.check(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads or cores(), 1
    options.log_severity_level = 4  # what is wrong is raised, and said once
    if brief:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # A thread that waits sleeps, so that other processes may compute what it waits for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # It takes names that are text, and nothing else; such a file holds all of its weights: `check` sees to that.
    opened = str(file) if is_text(file) else file.read_bytes()
    try:
        return onnxruntime.InferenceSession(opened, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common class
        raise ModelError(
            f"{file}: ONNX Runtime cannot open it: {_reason(error)}; fetch or export it again, or install a newer "
            "onnxruntime"
        ) from error


def computed(session: Any, inputs: Mapping[str, NDArray[Any]], file: Path) -> dict[str, Floats]:
    """Compute all outputs of an open session, by name.

    Raises:
        ModelError: it cannot compute inputs of these shapes; the message names the file.
    """
    try:
        found = session.run(None, dict(inputs))
    except Exception as error:
        raise ModelError(f"{file}: ONNX Runtime cannot compute it: {_reason(error)}") from error
    return {output.name: value for output, value in zip(session.get_outputs(), found, strict=True)}


def _reason(error: Exception) -> str:
    """What is wrong, without codes, the file's name, and where in ONNX Runtime's own source it was found."""
    lines = _WHERE.sub("", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0].removeprefix("Error: ").strip().rstrip(".")
