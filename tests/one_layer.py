"""A network of one layer, written as exports are: by this process, or by one that is killed meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from intarsia.exporting.writing import write_onnx, write_openvino
from intarsia.runtimes.openvino_library import library


def write(file: Path) -> None:
    """Write it to `file` (.onnx, or .xml with its numbers beside it)."""
    given, made = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy")
    weights = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [given], [made], [weights])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if file.suffix == ".onnx":
        write_onnx(network, {"a": "b"}, file)
    else:
        write_openvino(library().Core().read_model(network.SerializeToString()), {"a": "b"}, file)
