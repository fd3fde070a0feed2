"""Networks with named outputs; none of it needs torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_made import SPACE, described, field, network, node, values, write_onnx

from intarsia.errors import ModelError
from intarsia.runtimes.network import Network


def test_outputs_have_names_and_the_file_a_description(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], "positive"), node("Neg", ["x"], "negative")]
    graph = b"".join(field(1, one) for one in nodes) + field(2, "two") + field(11, values("x", 1))
    graph += field(12, values("positive", 1)) + field(12, values("negative", 1))
    file = write_onnx(tmp_path / "two.onnx", field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 19)))
    net = Network(file, threads=1)
    assert net.outputs.keys() == {"positive", "negative"} and net.shape[1] == 1
    found = net.run(np.array([-2, 3], np.float32).reshape(1, 1, 1, 2))
    assert found["positive"].ravel().tolist() == [0, 3] and found["negative"].ravel().tolist() == [2, -3]
    assert net.description.space == SPACE and net.description.source == str(file)


def test_what_cannot_be_computed_is_said(tmp_path: Path) -> None:
    net = Network(write_onnx(tmp_path / "net.onnx"), threads=1)
    with pytest.raises(ModelError, match=r"net.onnx: ONNX Runtime cannot compute it: .*dimensions"):
        net.run(np.zeros((1, 1, 8, 8), np.float32))
    nodes = field(1, node("Add", ["a", "b"], "c"))
    two = nodes + field(2, "sum") + field(11, values("a", 1)) + field(11, values("b", 1)) + field(12, values("c", 1))
    file = tmp_path / "sum.onnx"
    file.write_bytes(field(1, 8) + field(7, two) + field(8, field(1, "") + field(2, 19)) + described({}))
    with pytest.raises(ModelError, match=r"sum.onnx: its network takes 2 inputs, not one"):
        Network(file)
    with pytest.raises(ModelError, match="no such model; check the path"):
        Network(tmp_path / "none.onnx")
    file.write_bytes(network()[:300])
    with pytest.raises(ModelError, match="damaged"):
        Network(file)
