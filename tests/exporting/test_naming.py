"""The same export is the same bytes, in whatever process and after whatever else it did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops

from intarsia.exporting.naming import number_names
from intarsia.exporting.quantising import quantise
from intarsia.exporting.writing import write_openvino
from intarsia.runtimes.contract import Floats


def network() -> openvino.Model:
    """Two convolutions, of which one has a name, and an operation that has one which OpenVINO would give."""
    weights = np.random.default_rng(0).normal(0, 1, (2, 3, 1, 1)).astype(np.float32)
    image = ops.parameter([1, 3, 8, 8], np.float32, name="image")
    x = ops.relu(ops.convolution(image, ops.constant(weights), [1, 1], [0, 0], [0, 0], [1, 1]))
    more = ops.constant(weights[:, :2])
    x = ops.convolution(x, more, [1, 1], [0, 0], [0, 0], [1, 1], name="named")
    return openvino.Model([ops.result(x, name="logits")], [image], "network")


def names(model: openvino.Model) -> list[str]:
    return [operation.get_friendly_name() for operation in model.get_ordered_ops()]


def written(model: openvino.Model, folder: Path) -> list[bytes]:
    write_openvino(model, {"a": "b"}, folder / "a.xml")
    return [(folder / name).read_bytes() for name in ("a.xml", "a.bin")]


def quantised(model: openvino.Model) -> openvino.Model:
    inputs = [np.random.default_rng(seed).normal(0, 1, (1, 3, 8, 8)).astype(np.float32) for seed in range(3)]

    def measure(compute: Callable[[Floats], Floats]) -> float:
        return float(np.isfinite(compute(inputs[0])).mean())

    return quantise(number_names(model), inputs, inputs[:1], measure, 100.0, lambda said: None).model


def test_operations_without_a_name_are_numbered_by_kind() -> None:
    model = network()
    number_names(model)
    assert names(model) == ["image", "Constant_0", "Convolution_0", "Relu_0", "Constant_1", "named", "logits"]
    again = list(names(model))
    assert names(number_names(model)) == again


def test_a_name_that_somebody_gave_is_not_given_twice() -> None:
    image = ops.parameter([1, 3], np.float32, name="Abs_0")
    model = openvino.Model([ops.result(ops.abs(ops.abs(image)), name="logits")], [image], "network")
    assert names(number_names(model)) == ["Abs_0", "Abs_1", "Abs_2", "logits"]


def test_a_network_is_the_same_bytes_after_others_were_made(tmp_path: Path) -> None:
    first = written(network(), tmp_path)
    for _ in range(3):
        network()
    assert written(network(), tmp_path) == first


def test_so_is_one_in_eight_bits(tmp_path: Path) -> None:
    first = written(quantised(network()), tmp_path)
    network()
    assert written(quantised(network()), tmp_path) == first
