"""Norms that follow convolutions become part of them; the network computes the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from intarsia.exporting.folding import fold_norms

_RNG = np.random.default_rng(0)


def _tensor(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def _norm(source: str, name: str, channels: int) -> tuple[onnx.NodeProto, list[onnx.TensorProto]]:
    names = [f"{name}.{kind}" for kind in ("gamma", "beta", "mean", "variance")]
    numbers = [_RNG.uniform(0.5, 2, channels).astype(np.float32) for _ in names]
    node = helper.make_node("BatchNormalization", [source, *names], [name], name=name, epsilon=1e-3)
    return node, [_tensor(one, values) for one, values in zip(names, numbers, strict=True)]


def network() -> onnx.ModelProto:
    """Three convolutions: without bias, with one and half weights, and one whose sums are used twice; norms behind."""
    nodes, numbers, source, channels = [], [], "image", 3
    for name, groups in (("plain", 1), ("half", 4), ("shared", 1)):
        weight = _RNG.normal(0, 0.3, (4, channels // groups, 3, 3)).astype(np.float32)
        inputs = [source, f"{name}.weight"]
        if name == "half":
            numbers += [
                _tensor("half.weight", weight.astype(np.float16)),
                _tensor("half.bias", np.float32([1, 2, 3, 4])),
            ]
            nodes.append(helper.make_node("Cast", ["half.weight"], ["half.cast"], to=TensorProto.FLOAT))
            inputs = [source, "half.cast", "half.bias"]
        else:
            numbers.append(_tensor(f"{name}.weight", weight))
        nodes.append(helper.make_node("Conv", inputs, [f"{name}.sums"], name=name, group=groups, pads=[1] * 4))
        norm, more = _norm(f"{name}.sums", f"{name}.norm", 4)
        nodes.append(norm)
        numbers += more
        source, channels = f"{name}.norm", 4
    nodes.append(helper.make_node("Add", ["shared.sums", "shared.norm"], ["logits"]))
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count, "H", "W"])
        for name, count in (("image", 3), ("logits", 4))
    ]
    graph = helper.make_graph(nodes, "network", shapes[:1], shapes[1:], numbers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def computed(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": x})[0]


def test_norms_become_part_of_the_convolutions_before_them() -> None:
    model = network()
    before = model.SerializeToString()
    made = fold_norms(model)
    onnx.checker.check_model(made)
    assert model.SerializeToString() == before, "the network itself is left as it is"
    kinds = [node.op_type for node in made.graph.node]
    assert kinds == ["Conv", "Conv", "Conv", "BatchNormalization", "Add"], "sums that are used twice keep their norm"
    assert [node.name for node in made.graph.node[:3]] == ["plain", "half", "shared"]
    assert not any(
        tensor.name.startswith(("plain.norm", "half.norm", "half.weight")) for tensor in made.graph.initializer
    )
    x = _RNG.normal(0, 1, (2, 3, 7, 9)).astype(np.float32)
    np.testing.assert_allclose(computed(made, x), computed(model, x), rtol=1e-4, atol=1e-4)
