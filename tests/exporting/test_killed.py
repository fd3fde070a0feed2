"""Exports that are killed at the worst moments: nothing that looks like a model, and the next one works."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intarsia.bundle.onnxfile import metadata
from intarsia.errors import UsageError
from intarsia.exporting.request import check_request

pytest.importorskip("onnx")

# Writes a network of one layer, and kills itself instead of the rename of that number; 0: of none.
WRITE = """
import os, signal, sys
from pathlib import Path
import numpy as np, onnx
from onnx import helper, numpy_helper
from intarsia.exporting.writing import write_onnx, write_openvino

file, deadly = Path(sys.argv[1]), int(sys.argv[2])
value = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4])
weights = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [value("x")], [value("y")], [weights])
network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
replace, renames = os.replace, []

def rename(*names):
    renames.append(names)
    if len(renames) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)

os.replace = rename
if file.suffix == ".onnx":
    write_onnx(network, {"a": "b"}, file)
else:
    import openvino
    write_openvino(openvino.Core().read_model(network.SerializeToString()), {"a": "b"}, file)
"""


def write(file: Path, deadly: int) -> int:
    return subprocess.run([sys.executable, "-c", WRITE, file, str(deadly)], check=False, timeout=300).returncode


def ask(file: Path) -> None:
    check_request(file, "fp32", calibrated=False, max_drop=0.3, overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_an_onnx_file_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    assert write(file, 1) == -signal.SIGKILL
    assert not file.exists() and len(list(tmp_path.iterdir())) == 1
    ask(file)
    assert write(file, 0) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"] and metadata(file)["a"] == "b"
    with pytest.raises(UsageError, match=r"a\.onnx exists; give another name"):
        ask(file)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_openvinos_two_files_are_both_there_or_no_model(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    file, numbers = tmp_path / "a.xml", tmp_path / "a.bin"
    assert write(file, 2) == -signal.SIGKILL
    assert numbers.exists() and not file.exists()
    ask(file)
    assert write(file, 0) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.xml"]
    file.unlink()
    with pytest.raises(UsageError, match=r"a\.bin exists; give another name"):  # somebody's, of whatever kind
        ask(file)
