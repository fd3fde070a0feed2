"""Layers that do not bear eight bits are given back; networks are built layer by layer, without torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from intarsia.exporting.quantising import divergence, quantise
from intarsia.exporting.restoring import restored, rounded
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


def agreement(model: openvino.Model) -> Callable[[Callable[[Floats], Floats]], float]:
    """Measure labels against those of the network in floats, in points of 100."""
    original, pictures = logits(model), inputs(1)
    wanted = [original(x).argmax(1) for x in pictures]

    def measure(compute: Callable[[Floats], Floats]) -> float:
        same = [compute(x).argmax(1) == labels for x, labels in zip(pictures, wanted, strict=True)]
        return 100 * float(np.mean(same))

    return measure


def logits(model: openvino.Model) -> Callable[[Floats], Floats]:
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: np.array(compiled(x)[0])


def test_a_network_that_bears_it_computes_in_eight_bits() -> None:
    model = network(outlier=1.0)
    told: list[str] = []
    made = quantise(model, inputs(0), inputs(0)[:2], agreement(model), 10.0, told.append)
    assert {"stem", "head"} <= set(made.layers) and made.given_back == ()
    assert made.scores[0] == 100 and made.scores[-1] >= 90
    names = [operation.get_type_name() for operation in model.get_ordered_ops()]
    assert "FakeQuantize" not in names, "the network in floats is left as it is"


def test_layers_that_cost_too_much_are_given_back() -> None:
    model = network(outlier=3000.0)
    told: list[str] = []
    made = quantise(model, inputs(0), inputs(0)[:2], agreement(model), 1.0, told.append)
    floats, whole, last = made.scores
    assert floats == 100 and whole < 90, "in eight bits the small channels drown"
    assert "head" in made.given_back and "head" not in made.layers
    assert made.layers, "the others stay in eight bits"
    assert last >= 99 and agreement(model)(logits(made.model)) == pytest.approx(last, abs=0.5)
    assert any(one.startswith("ranking ") for one in told)
    assert sum(one.startswith("measuring it without ") for one in told) <= 4, "found by halving"


def test_with_everything_given_back_the_network_is_the_one_in_floats() -> None:
    model = network(outlier=30.0)
    whole = quantise(model, inputs(0), [], agreement(model), 100.0, lambda _: None).model
    names = rounded(whole)
    assert {"stem", "squeeze", "excite", "head"} <= set(names) and len(names) == len(set(names))
    back = restored(whole, model, names)
    x = inputs(2)[0]
    np.testing.assert_allclose(logits(back)(x), logits(model)(x), rtol=1e-5, atol=1e-5)
    assert np.abs(logits(whole)(x) - logits(model)(x)).max() > 0.01, "which the one in eight bits is not"
    assert rounded(back) == () and rounded(whole) == names, "a copy is changed"


def test_the_distance_of_logits_counts_each_class_the_same() -> None:
    wanted = np.zeros((1, 2, 1, 5), np.float32)
    wanted[0, 0, 0, :4], wanted[0, 1, 0, 4] = 20, 20  # four pixels of one class, one of the other
    turned = wanted.copy()
    turned[..., 4] = wanted[:, ::-1, :, 4]
    assert divergence(wanted, wanted) == 0
    assert divergence(wanted, wanted + 7) == pytest.approx(0, abs=1e-5), "what all classes have more of means nothing"
    assert divergence(wanted, turned) == pytest.approx(20 / 2, rel=1e-4)
