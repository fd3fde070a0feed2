"""ONNX Runtime: an exported network on the CPU, without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.bundle import Description, Exported, onnxfile
from intarsia.errors import ModelError, UsageError
from intarsia.media.source import Place
from intarsia.runtimes.contract import Floats, Precision
from intarsia.runtimes.processor import feature
from intarsia.threads import cores


class OnnxRuntime:
    """A network in an ONNX file; see `Runtime`.

    Args:
        file: as `intarsia.export` writes it.
        classes: how many its logits must have.
        threads: that compute it; None: as many as this process may use.

    Raises:
        ModelError: the file is missing, damaged, by somebody else, or not for so many classes.
    """

    name = "onnx"

    def __init__(self, file: Path, classes: int, *, threads: int | None = None) -> None:
        exported = Exported.load(file)
        self.stride, self.align_corners = exported.stride, exported.align_corners
        self.margin, self.precision = exported.margin, exported.precision
        self.processor = f"cpu {feature()}"
        self._file, self._exported = file, exported
        self._session = _session(file, threads or cores())
        (given,), (made,) = self._session.get_inputs(), self._session.get_outputs()
        self._input = given.name
        self.in_channels = int(given.shape[1])
        if made.shape[1] != classes:
            raise ModelError(f"{file}: its network gives {made.shape[1]} classes, and its description names {classes}")

    @classmethod
    def of(cls, description: Description, file: Path, precision: Precision) -> OnnxRuntime:
        """Open a described model's exported file.

        Raises:
            UsageError: it was exported in another precision.
            ModelError: as the class.
        """
        found = cls(file, len(description.space))
        if precision not in ("auto", found.precision):
            raise UsageError(
                f"{file} was exported in {found.precision}; use auto, or export it again with --precision {precision}"
            )
        return found

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        self._exported.require_size(x.shape[2], x.shape[3], self._file)
        try:
            (found,) = self._session.run(None, {self._input: np.ascontiguousarray(x)})
        except Exception as error:  # ONNX Runtime's own errors have no common class
            raise ModelError(f"{self._file}: ONNX Runtime cannot compute it: {_first_line(error)}") from error
        logits: Floats = found
        return logits


def _session(file: Path, threads: int) -> Any:
    """Open a session that reads nothing but the file, and whose threads do not spin."""
    # From version 1.32 on its packages tell Microsoft of their use and keep a name for this machine, unless told not to
    # before they are imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxfile.check(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what is wrong is raised, and said once
    # A thread that waits sleeps, so that other processes may compute what it waits for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{file}: ONNX Runtime cannot open it: {_first_line(error)}") from error
    shapes = [[len(one.shape) for one in kind] for kind in (session.get_inputs(), session.get_outputs())]
    if shapes != [[4], [4]] or not isinstance(session.get_inputs()[0].shape[1], int):
        raise ModelError(f"{file}: its network is not one of pictures (N, C, H, W) to logits (N, K, h, w)")
    return session


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
