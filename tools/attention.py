"""The three operators of MediaPipe's own by which a network looks at lips and eyes again, in ONNX's standard ones.

Published in Grishchenko et al. 2020, Attention Mesh, arXiv:2006.10962: a spatial transformer cuts a region out of a map
of features, turned so that the corners of mouth or eye lie level, and points found in it are turned back. A transform
is held as its columns (n, 2, 3): from the region's grid to the map's pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from tflite_graph import OPERATORS, Graph


def regions(graph: Graph) -> tuple[list[int], ...]:
    """The points of the mesh that are looked at again, region by region."""
    found = [_options(operator) for kind, operator in graph.operators() if kind == "Landmarks2TransformMatrix"]
    return tuple(list(one["subset_idxs"]) for one in found)


def _options(operator: Any) -> Any:
    return flexbuffers.Loads(bytes(operator.CustomOptionsAsNumpy()))


def _transform(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    """Landmarks2TransformMatrix: points (n, 468, 3) to the turned box about some of them, (n, 2, 3)."""
    options = _options(operator)
    grid = np.array([options["output_width"], options["output_height"]])
    scale = np.array([options["scale_x"], options["scale_y"]])
    if options["target_rotation_radians"]:
        raise ValueError("only level regions are known")
    points = graph.add("Slice", graph.name(inputs[0]), *(graph.value([n], "i8") for n in (0, 2, 2)))

    def point(index: list[int]) -> str:
        return graph.add("Gather", points, graph.value(index, "i8"), axis=1)

    across = graph.add("Sub", point([options["right_rotation_idx"]]), point([options["left_rotation_idx"]]))
    length = graph.add("ReduceL2", across, axes=[2], keepdims=1)
    cosine_sine = graph.add("Div", across, length)
    # rows of the rotation back: (cos, sin), (-sin, cos)
    sine_cosine = graph.add("Gather", cosine_sine, graph.value([1, 0], "i8"), axis=2)
    normal = graph.add("Mul", sine_cosine, graph.value([[[-1, 1]]]))
    axes = graph.add("Concat", cosine_sine, normal, axis=1)
    turned = graph.add("MatMul", point(list(options["subset_idxs"])), graph.add("Transpose", axes, perm=[0, 2, 1]))
    low = graph.add("ReduceMin", turned, axes=[1], keepdims=1)
    high = graph.add("ReduceMax", turned, axes=[1], keepdims=1)
    # u = middle + (g / grid - 1/2) scale (high - low), where g is a place on the grid
    size = graph.add("Mul", graph.add("Sub", high, low), graph.value(scale))
    step = graph.add("Div", size, graph.value(grid))
    middle = graph.add("Mul", graph.add("Add", high, low), graph.value(0.5))
    start = graph.add("Sub", middle, graph.add("Mul", size, graph.value(0.5)))
    back = graph.add("Transpose", axes, perm=[0, 2, 1])
    linear = graph.add("Mul", back, step)
    shift = graph.add("MatMul", back, graph.add("Transpose", start, perm=[0, 2, 1]))
    return graph.add("Concat", linear, shift, axis=2)


def _scaled(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    """A factor for each of 4x4 numbers, of which a transform holds six."""
    if len(graph.shape_of(made)) == 3 and graph.shape_of(made)[1:] == (4, 4):
        factor = graph.constant(inputs[1])[:, :2][:, :, [0, 1, 3]]
        return graph.add("Mul", graph.name(inputs[0]), graph.weight(factor))
    return _multiplied(graph, operator, inputs, made)


def _parts(graph: Graph, transform: str) -> tuple[str, str]:
    """Its linear part, transposed for points as rows, and its shift (n, 1, 2)."""
    rows = graph.add("Transpose", transform, perm=[0, 2, 1])
    zero, two, three, one = (graph.value([number], "i8") for number in (0, 2, 3, 1))
    return graph.add("Slice", rows, zero, two, one), graph.add("Slice", rows, two, three, one)


def _sampled(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    """TransformTensorBilinear: a map read at the grid's transformed pixel centres; nothing beyond its outer centres."""
    options = _options(operator)
    height, width = options["output_height"], options["output_width"]
    sides = np.array(graph.shape_of(inputs[0])[2:0:-1], np.float32)  # width, height
    rows, columns = np.mgrid[:height, :width] + 0.5
    linear, shift = _parts(graph, graph.name(inputs[1]))
    centres = graph.value(np.stack([columns, rows], axis=-1).reshape(1, -1, 2))
    places = graph.add("Add", graph.add("MatMul", centres, linear), shift)
    # ONNX's grid: -1 and 1 are the outer borders of the outer pixels
    ranged = graph.add("Sub", graph.add("Mul", places, graph.value(2 / sides)), graph.value(1.0))
    ranged = graph.add("Reshape", ranged, graph.value([-1, height, width, 2], "i8"))
    read = graph.add(
        "GridSample", graph.name(inputs[0]), ranged, mode="bilinear", padding_mode="border", align_corners=0
    )
    inside = graph.add("LessOrEqual", graph.add("Abs", ranged), graph.value(1 - 1 / sides))
    inside = graph.add("Cast", inside, to=1)
    inside = graph.add("ReduceMin", inside, axes=[3], keepdims=1)
    return graph.add("Mul", read, graph.add("Transpose", inside, perm=[0, 3, 1, 2]))


def _turned_back(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    """TransformLandmarks: points (n, k, 2) of a region to those of the map."""
    linear, shift = _parts(graph, graph.name(inputs[1]))
    return graph.add("Add", graph.add("MatMul", graph.name(inputs[0]), linear), shift)


_multiplied = OPERATORS["MUL"]
OPERATORS |= {
    "MUL": _scaled,
    "Landmarks2TransformMatrix": _transform,
    "TransformTensorBilinear": _sampled,
    "TransformLandmarks": _turned_back,
}
