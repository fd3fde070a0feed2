"""Layers that do not bear eight bits are given back; networks are built layer by layer, without torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from intarsia.exporting.quantising import quantise
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.openvino import core

_RNG = np.random.default_rng(0)
CHANNELS, ITEMS = 8, 6


def _conv(x: Any, outputs: int, name: str, *, side: int = 3) -> Any:
    inputs = x.get_output_partial_shape(0)[1].get_length()
    weight = _RNG.normal(0, (inputs * side * side) ** -0.5, (outputs, inputs, side, side)).astype(np.float32)
    pad = [side // 2] * 2
    return ops.convolution(x, ops.constant(weight), [1, 1], pad, pad, [1, 1], name=name)


def network(*, outlier: float) -> openvino.Model:
    """Convolutions with hard-swish and squeeze-and-excitation, one channel of which is `outlier` times as large.

    The last layer undoes that scale, so that the other channels, which decide, are small beside what sets the range.
    """
    image = ops.parameter([-1, 3, -1, -1], np.float32, name="image")
    x = ops.hswish(_conv(image, CHANNELS, "stem"))
    pooled = ops.reduce_mean(x, ops.constant(np.array([2, 3])), True)
    gate = ops.hsigmoid(_conv(ops.relu(_conv(pooled, 4, "squeeze", side=1)), CHANNELS, "excite", side=1))
    x = ops.multiply(x, gate)
    scale = np.ones((1, CHANNELS, 1, 1), np.float32)
    scale[0, 0] = outlier
    x = ops.multiply(x, ops.constant(scale))
    weight = _RNG.normal(0, 1, (3, CHANNELS, 1, 1)).astype(np.float32)
    weight[:, 0] /= outlier
    head = ops.convolution(x, ops.constant(weight), [1, 1], [0, 0], [0, 0], [1, 1], name="head")
    return openvino.Model([ops.result(head, name="logits")], [image], "network")


def inputs(seed: int) -> list[Floats]:
    generator = np.random.default_rng(seed)
    return [generator.normal(0, 1, (1, 3, 24, 32)).astype(np.float32) for _ in range(ITEMS)]


def agreement(model: openvino.Model) -> Callable[[Callable[[Floats], Floats], list[int]], tuple[float, list[float]]]:
    """Measure labels against those of the network in floats, in points of 100."""
    original = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    pictures = inputs(1)
    wanted = [original(x)[0].argmax(1) for x in pictures]

    def measure(compute: Callable[[Floats], Floats], indices: list[int]) -> tuple[float, list[float]]:
        each = [100 * float((compute(pictures[index]).argmax(1) == wanted[index]).mean()) for index in indices]
        return float(np.mean(each)), each

    return measure


def test_a_network_that_bears_it_computes_in_eight_bits() -> None:
    model = network(outlier=1.0)
    made = quantise(model, inputs(0), ITEMS, agreement(model), max_drop=10.0)
    assert {"stem", "head"} <= set(made.layers) and made.given_back == ()
    assert made.scores[0] == 100 and made.scores[-1] >= 90
    names = [operation.get_type_name() for operation in model.get_ordered_ops()]
    assert "FakeQuantize" not in names, "the network in floats is left as it is"


def test_layers_that_cost_too_much_are_given_back() -> None:
    model = network(outlier=3000.0)
    made = quantise(model, inputs(0), ITEMS, agreement(model), max_drop=1.0)
    floats, whole, last = made.scores[0], made.scores[1], made.scores[-1]
    assert floats == 100 and whole < 90, "in eight bits the small channels drown"
    assert "head" in made.given_back and "head" not in made.layers
    compiled = core().compile_model(made.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert agreement(model)(lambda x: compiled(x)[0], list(range(ITEMS)))[0] == pytest.approx(last, abs=0.5)
    assert last >= 99 or not made.layers
