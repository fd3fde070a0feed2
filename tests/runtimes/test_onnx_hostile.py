"""Hostile ONNX files end in one clear error, and nothing outside of them is opened; the commands: `tests/cli`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_hostile import FILES, NETWORKS, hostile_folder, write_hostile

import intarsia
from intarsia.errors import ModelError


@pytest.mark.parametrize("name", [*FILES, *NETWORKS])
def test_what_is_wrong_is_told(tmp_path: Path, name: str) -> None:
    file, said = write_hostile(name, hostile_folder(tmp_path))
    with pytest.raises(ModelError, match=said) as caught:
        intarsia.load(file, runtime="onnx").segment(np.full((20, 32, 3), 40, np.uint8))
    message = str(caught.value)
    assert message.startswith(str(file)) and "\n" not in message
    assert "onnxruntime_src" not in message and "[ONNXRuntimeError]" not in message
