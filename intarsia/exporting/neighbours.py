"""The searches among points in operators of ONNX: dense distances, and farthest points one after the other.

See `intarsia.models.cloud.operators` for what they find, and `intarsia.models.cloud.neighbours` for how torch does it:
by trees, which ONNX has not. Distances are of double precision here as well, so that the neighbours are the same, but
for those at equal distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import FLOAT, INT64, opset18, script

from intarsia.transforms.clouds.blocks import block_sizes

ops: Any = opset18  # whose operators' types are narrower than what they take
_DOUBLE = onnx.TensorProto.DOUBLE
_FAR = 1e9  # added to the square of a distance that does not count: more than any, and small enough to keep their order


def translations(points: int) -> dict[Any, Callable[..., Any]]:
    """Tell how to translate the operators of a network that sees blocks of so many points, see `block_sizes`."""
    searches = torch.ops.intarsia
    return {
        searches.farthest_points.default: _farthest_points,
        searches.search.default: _search,
        searches.shuffled.default: _shuffled(points),
        torch.sym_min: ops.Min,
        torch.ops.aten.index_copy.default: _index_copy,
        torch.ops.aten.sort.stable: _sort,
    }


def _farthest_points(xyz: Any, count: Any) -> Any:
    """Farthest point sampling, (B, N, 3) to (B, count), from the lowest point on."""
    return _farthest(xyz, ops.Reshape(count, _int64(-1)))


@script(default_opset=opset18)
def _farthest(xyz: FLOAT, count: INT64) -> INT64:  # a language of its own, with Python's grammar
    x = ops.Gather(xyz, ops.Constant(value_int=0), axis=2)
    y = ops.Gather(xyz, ops.Constant(value_int=1), axis=2)
    z = ops.Gather(xyz, ops.Constant(value_int=2), axis=2)
    infinite = ops.CastLike(ops.Constant(value_float=float("inf")), xyz)
    lowest = ops.Equal(z, ops.ReduceMin(z, ops.Constant(value_ints=[1])))
    y_of_lowest = ops.Where(lowest, y, infinite)
    first = ops.Equal(y_of_lowest, ops.ReduceMin(y_of_lowest, ops.Constant(value_ints=[1])))
    last = ops.ArgMin(ops.Where(ops.And(lowest, first), x, infinite), axis=1)  # (B, 1)
    distance = ops.Expand(infinite, ops.Shape(x))
    steps = ops.Squeeze(count)
    places = ops.Range(ops.Constant(value_int=0), steps, ops.Constant(value_int=1))
    picked = ops.Add(ops.Mul(last, ops.Constant(value_int=0)), places)  # zeros (B, count), and the places
    for step in range(steps):
        picked = ops.Where(ops.Equal(places, step), last, picked)
        dx = ops.Sub(x, ops.GatherElements(x, last, axis=1))
        dy = ops.Sub(y, ops.GatherElements(y, last, axis=1))
        dz = ops.Sub(z, ops.GatherElements(z, last, axis=1))
        squared = ops.Add(ops.Add(ops.Mul(dx, dx), ops.Mul(dy, dy)), ops.Mul(dz, dz))
        distance = ops.Min(distance, squared)
        last = ops.ArgMax(distance, axis=1)
    return picked  # type: ignore[no-any-return]


def _search(query: Any, xyz: Any, inner: float, outer: float, count: int) -> tuple[Any, Any]:
    """The nearest points of each query, (B, M, 3) among (B, N, 3), in inner <= distance < outer."""
    squared = _squared_distances(query, xyz)
    if not math.isinf(outer):
        outside = ops.GreaterOrEqual(squared, _double(outer**2))
        if inner > 0:  # products of sums may fall below 0
            outside = ops.Or(outside, ops.Less(squared, _double(inner**2)))
        squared = ops.Where(outside, ops.Add(squared, _double(_FAR)), squared)
    there = ops.Min(_int64(count), ops.Shape(xyz, start=1, end=2))
    nearest, index = ops.TopK(squared, there, axis=-1, largest=0, sorted=1)
    missing = ops.Concat(_int64(0, 0, 0, 0, 0), ops.Sub(_int64(count), there), axis=0)
    nearest = ops.Pad(nearest, missing, _scalar(np.float64(2 * _FAR)))
    index = ops.Pad(index, missing, _scalar(np.int64(0)))
    far = ops.GreaterOrEqual(nearest, _double(_FAR))
    first = ops.Slice(index, _int64(0), _int64(1), _int64(2))
    index = ops.Where(far, first, index)
    distance = ops.Sqrt(ops.Max(nearest, _double(0.0)))
    return index, ops.Where(far, _double(math.inf), distance)


def _squared_distances(query: Any, xyz: Any) -> Any:
    """(B, M, N) as one product, ``[-2 q, 1, q q] [p, p p, 1]'``, so that only the result is of that size."""
    q, p = (ops.Cast(points, to=_DOUBLE) for points in (query, xyz))
    own, others = (ops.ReduceSum(ops.Mul(points, points), _int64(2), keepdims=1) for points in (q, p))
    ones = [ops.Add(ops.Mul(one, _double(0.0)), _double(1.0)) for one in (own, others)]
    left = ops.Concat(ops.Mul(q, _double(-2.0)), ones[0], own, axis=2)
    right = ops.Concat(p, others, ones[1], axis=2)
    return ops.MatMul(left, ops.Transpose(right, perm=[0, 2, 1]))


def _shuffled(points: int) -> Callable[[Any], Any]:
    """The orders of all sizes of blocks one after the other, of which a block takes that of its size."""
    known = block_sizes(points)
    table = np.concatenate([torch.randperm(n, generator=torch.Generator().manual_seed(0)).numpy() for n in known])

    def translated(xyz: Any) -> Any:
        size = ops.Shape(xyz, start=1, end=2)
        larger = ops.Cast(ops.Greater(_int64(*known), size), to=onnx.TensorProto.INT64)
        start = ops.ReduceSum(ops.Mul(larger, _int64(*known)), _int64(0), keepdims=1)
        orders = ops.Constant(value=onnx.numpy_helper.from_array(table))
        return ops.Slice(orders, start, ops.Add(start, size), _int64(0))

    return translated


def _index_copy(into: Any, dim: int, index: Any, source: Any) -> Any:
    """Rows of the middle axis of (B, N, C), each to its place."""
    assert dim == 1
    shape = ops.Shape(source)
    return ops.ScatterElements(into, ops.Expand(ops.Reshape(index, _int64(1, -1, 1)), shape), source, axis=1)


def _sort(x: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> tuple[Any, Any]:
    """All values in order; of equal ones ONNX takes the first one first."""
    values, index = ops.TopK(x, ops.Shape(x, start=-1), axis=dim, largest=int(descending), sorted=1)
    return values, index


def _double(value: float) -> Any:
    return _scalar(np.float64(value))


def _scalar(value: np.generic) -> Any:
    return ops.Constant(value=onnx.numpy_helper.from_array(np.asarray(value)))


def _int64(*values: int) -> Any:
    return ops.Constant(value=onnx.numpy_helper.from_array(np.array(values, np.int64)))
