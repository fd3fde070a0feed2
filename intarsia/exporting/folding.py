"""Norms folded into the convolutions before them, as far as they can be."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_EPSILON = 1e-5  # ONNX's own, where a norm tells none


def fold_norms(network: onnx.ModelProto) -> onnx.ModelProto:
    """Fold each norm that follows a convolution into its weights and bias, in a copy.

    Quantisation needs it: a norm that stands apart gets integers of its own on both sides, which cost accuracy, and
    keep the convolution from computing in integers what follows it.

    Args:
        network: in float32. Weights that are stored in float16 and cast become float32 where a norm is folded into
            them. Convolutions keep their names.
    """
    made = copy.deepcopy(network)
    graph = made.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    used = Counter(name for node in graph.node for name in node.input) + Counter(one.name for one in graph.output)
    makers = {name: node for node in graph.node for name in node.output}

    def known(name: str) -> NDArray[np.float64] | None:
        tensor = values.get(casts.get(name, name))
        return None if tensor is None else numpy_helper.to_array(tensor).astype(np.float64)

    folded = []
    for norm in graph.node:
        conv = makers.get(norm.input[0]) if norm.op_type == "BatchNormalization" else None
        if conv is None or conv.op_type != "Conv" or used[conv.output[0]] > 1:
            continue
        weight, numbers = known(conv.input[1]), [known(name) for name in norm.input[1:5]]
        bias = known(conv.input[2]) if len(conv.input) > 2 else np.zeros(1)
        if weight is None or bias is None or any(one is None for one in numbers):
            continue
        gamma, beta, mean, variance = (one for one in numbers if one is not None)
        scale = gamma / np.sqrt(variance + _epsilon(norm))
        whole = (weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), (bias - mean) * scale + beta)
        names = [f"{conv.name or conv.output[0]}.folded.{kind}" for kind in ("weight", "bias")]
        graph.initializer.extend(
            numpy_helper.from_array(one.astype(np.float32), name) for one, name in zip(whole, names, strict=True)
        )
        conv.input[1:] = names
        conv.output[0] = norm.output[0]
        folded.append(norm)
    for norm in folded:
        graph.node.remove(norm)
    _drop_unused(graph)
    return made


def _epsilon(norm: onnx.NodeProto) -> float:
    return next((float(one.f) for one in norm.attribute if one.name == "epsilon"), _EPSILON)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Leave out numbers that nobody reads any more, and the casts of such."""
    ends = {one.name for one in graph.output}
    for _ in range(2):  # casts, then what they cast
        used = {name for node in graph.node for name in node.input} | ends
        for node in [node for node in graph.node if node.op_type == "Cast" and node.output[0] not in used]:
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input} | ends
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
