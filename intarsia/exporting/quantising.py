"""Eight bits: quantisation after training that gives layers back until the model is as right as it has to be."""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from intarsia.errors import ModelError, require
from intarsia.exporting.seen import MOST
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.openvino import core

_RANKED = 20
"""Items on which layers are ranked by how much they cost; each layer takes a pass over them."""

Measure = Callable[[Callable[[Floats], Floats], list[int]], tuple[float, list[float]]]
"""From a network and the indices of items to their mIoU together, in points, and each one's own."""


@dataclass(frozen=True)
class Quantised:
    """A network in eight bits, as far as it bears them.

    Attributes:
        model: OpenVINO's.
        layers: that compute in eight bits.
        given_back: layers that did, and compute in floats again because they cost too much.
        scores: mIoU in points: of the network in floats, of all layers in eight bits, then after each layer given back.
    """

    model: Any
    layers: tuple[str, ...]
    given_back: tuple[str, ...]
    scores: tuple[float, ...]


def quantise(network: Any, seen: Iterable[Floats], items: int, measure: Measure, max_drop: float) -> Quantised:
    """Quantise a network, and give back the layers that cost most until it loses no more than it may.

    Weights become symmetric and activations asymmetric integers. Weights use half of their range, so that sums do not
    overflow on processors without integer dot products (VNNI), where the same file has to give the same labels.

    Args:
        network: OpenVINO's model, in floats; it is left as it is.
        seen: inputs that its ranges are taken from.
        items: how many labelled items there are to measure on, none of them among `seen`.
        measure: see `Measure`.
        max_drop: of mIoU, in points.

    Raises:
        UsageError: NNCF is not installed.
        ModelError: it cannot quantise the network.
    """
    import openvino

    os.environ.setdefault("NNCF_CI", "1")  # or it would tell its makers of each use
    with _quiet("torch.utils.cpp_extension"):  # it wonders where CUDA's compiler is
        nncf: Any = require("nncf", "quantize")
    scores: list[float] = []

    def validate(compiled: Any, given: Iterable[int]) -> tuple[float, list[float]]:
        indices = list(given)
        miou, each = measure(lambda x: compiled(x)[0], indices)
        if len(indices) == items:
            scores.append(miou)
        return miou, each

    # NNCF would open a core of its own for every network that it tries; see `core`.
    ours = {"Core": core, "compile_model": core().compile_model}
    with _quiet("nncf"), patch.multiple(openvino, **ours), tempfile.TemporaryDirectory() as folder:
        try:
            made = nncf.quantize_with_accuracy_control(
                network.clone(), nncf.Dataset(seen), nncf.Dataset(range(items)), validate, max_drop=max_drop,
                drop_type=nncf.DropType.ABSOLUTE, preset=nncf.QuantizationPreset.MIXED, subset_size=MOST,
                advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=nncf.OverflowFix.ENABLE
                ),
                advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                    ranking_subset_size=min(_RANKED, items), num_ranking_workers=1, intermediate_model_dir=folder
                ),
            )  # fmt: skip
        except (RuntimeError, ValueError, nncf.InternalError) as error:
            raise ModelError(f"NNCF cannot quantise this network: {error}; export it in another precision") from error
        first = _in_eight_bits(core().read_model(f"{folder}/intermediate_model.xml"))
    layers = _in_eight_bits(made)
    return Quantised(made, layers, tuple(name for name in first if name not in layers), tuple(scores))


_LAYERS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")
_BETWEEN = ("Reshape", "Convert", "Multiply", "Subtract", "Transpose")  # an integer weight and its layer


def _in_eight_bits(model: Any) -> tuple[str, ...]:
    """Names of the layers whose inputs and weights are quantised."""
    return tuple(
        operation.get_friendly_name()
        for operation in model.get_ordered_ops()
        if operation.get_type_name() in _LAYERS and all(map(_is_quantised, operation.input_values()))
    )


def _is_quantised(value: Any) -> bool:
    node = value.get_node()
    while node.get_type_name() in _BETWEEN:
        node = node.input_value(0).get_node()
    if node.get_type_name() == "Constant":
        return str(node.get_element_type().get_type_name()) in ("i8", "u8")
    return bool(node.get_type_name() == "FakeQuantize")


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without a library's own log and progress bars; what matters of them is told in the report."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
