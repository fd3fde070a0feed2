"""Eight bits: quantisation after training that gives layers back until the model is as right as it has to be."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from intarsia.errors import ModelError, require
from intarsia.exporting.restoring import is_integer, maker, restored, rounded
from intarsia.exporting.seen import MOST
from intarsia.exporting.telling import Stage, Told
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.openvino import core
from intarsia.runtimes.openvino_library import library

Compute = Callable[[Floats], Floats]
Measure = Callable[[Compute], float]
"""From what computes logits to its mIoU on labelled items that calibration has not seen, in points."""

_LAYERS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")


@dataclass(frozen=True)
class Quantised:
    """A network in eight bits, as far as it bears them.

    Attributes:
        model: OpenVINO's.
        layers: that compute in eight bits.
        given_back: operations that did, and compute in floats again because they cost too much.
        scores: mIoU in points: of the network in floats, of all layers in eight bits, and of `model`.
    """

    model: Any
    layers: tuple[str, ...]
    given_back: tuple[str, ...]
    scores: tuple[float, float, float]


def quantise(
    network: Any, seen: Iterable[Floats], some: Sequence[Floats], measure: Measure, max_drop: float, stage: Stage
) -> Quantised:
    """Quantise a network, and give back the layers that cost most until it loses no more than it may.

    Weights become symmetric and activations asymmetric integers. Weights use half of their range, so that sums do not
    overflow on processors without integer dot products (VNNI), where the same file has to give the same labels.

    What is given back is found in two steps, so that the time is known: operations are ranked by how much nearer the
    logits of a few inputs come to those in floats without each of them, and then as few of the first ones are given
    back as keep the drop, by halving, each time measured on all items.

    Args:
        network: OpenVINO's model, in floats; it is left as it is. Norms cost least where they are part of layers.
        seen: inputs that its ranges are taken from.
        some: a few inputs that operations are ranked on.
        measure: see `Measure`.
        max_drop: of mIoU, in points.
        stage: told what is done, and how long it will take.

    Raises:
        UsageError: NNCF is not installed.
        ModelError: it cannot quantise the network.
    """
    floats = _folded(network)
    whole = _in_integers(floats, seen)
    stage("measuring the network in floats")
    wanted = measure(_compute(floats))
    stage("measuring it in eight bits")
    reached = measure(_compute(whole))
    if wanted - reached <= max_drop:
        return Quantised(whole, _in_eight_bits(whole), (), (wanted, reached, reached))
    ranked = _ranked(whole, floats, some, stage)
    count, last = len(ranked), wanted  # all of them: the network in floats
    too_few = 0
    while count - too_few > 1:
        middle = (count + too_few) // 2
        stage(f"measuring it without {middle} of {len(ranked)} operations in eight bits")
        found = measure(_compute(restored(whole, floats, ranked[:middle])))
        if wanted - found <= max_drop:
            count, last = middle, found
        else:
            too_few = middle
    model = restored(whole, floats, ranked[:count])
    return Quantised(model, _in_eight_bits(model), ranked[:count], (wanted, reached, last))


def _folded(network: Any) -> Any:
    """A copy whose weights are plain constants."""
    from openvino.passes import ConstantFolding, Manager

    made, manager = network.clone(), Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(made)
    return made


def _in_integers(network: Any, seen: Iterable[Floats]) -> Any:
    """The whole network in eight bits."""
    openvino = library()
    os.environ.setdefault("NNCF_CI", "1")  # or it would tell its makers of each use
    with _quiet("torch.utils.cpp_extension"):  # it wonders where CUDA's compiler is
        nncf: Any = require("nncf", "quantize")
    # NNCF would open a core of its own for every network that it tries; see `core`.
    ours = {"Core": core, "compile_model": core().compile_model}
    with _quiet("nncf"), patch.multiple(openvino, **ours):
        try:
            return nncf.quantize(
                network.clone(), nncf.Dataset(seen), preset=nncf.QuantizationPreset.MIXED, subset_size=MOST,
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
            )  # fmt: skip
        except (RuntimeError, ValueError, nncf.InternalError) as error:
            raise ModelError(f"NNCF cannot quantise this network: {error}; export it in another precision") from error


def _compute(model: Any) -> Compute:
    """What computes the logits of a model, in float32 where it is not in integers."""
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: np.array(compiled(x)[0])


def _ranked(whole: Any, floats: Any, some: Sequence[Floats], stage: Stage) -> tuple[str, ...]:
    """The operations in eight bits, those first without which the network comes nearest to the one in floats."""
    original = _compute(floats)
    wanted = [original(x) for x in some]
    names = rounded(whole)
    distances: dict[str, float] = {}
    stage(f"ranking {len(names)} operations by what their eight bits cost")
    for name in Told(names, len(names), "ranking operation", stage):
        compute = _compute(restored(whole, floats, [name]))
        distances[name] = float(np.mean([divergence(one, compute(x)) for one, x in zip(wanted, some, strict=True)]))
    return tuple(sorted(names, key=distances.__getitem__))


def divergence(wanted: Floats, found: Floats) -> float:
    """Measure how far probabilities are from wanted ones: Kullback-Leibler's divergence, each class counting the same.

    Args:
        wanted: logits (N, K, ...).
        found: logits of the same shape.
    """
    right, other = (np.moveaxis(_log_softmax(logits), 1, -1) for logits in (wanted, found))
    each = (np.exp(right) * (right - other)).sum(axis=-1)
    best = wanted.argmax(axis=1)
    return float(np.mean([each[best == kind].mean() for kind in np.unique(best)]))


def _log_softmax(logits: Floats) -> Floats:
    below = logits - logits.max(axis=1, keepdims=True)
    result: Floats = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return result


def _in_eight_bits(model: Any) -> tuple[str, ...]:
    """Names of the layers whose inputs and weights are quantised."""
    return tuple(
        operation.get_friendly_name()
        for operation in model.get_ordered_ops()
        if operation.get_type_name() in _LAYERS and all(map(_is_quantised, operation.input_values()))
    )


def _is_quantised(value: Any) -> bool:
    return is_integer(value.get_node()) or maker(value.get_node()).get_type_name() == "FakeQuantize"


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
