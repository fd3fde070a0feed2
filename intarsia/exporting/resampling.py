"""Bicubic resampling against aliasing, as networks resample learned positions, in operators that all runtimes agree on.

ONNX has an operator for it, which OpenVINO computes by a rule of its own: the logits of a network with such positions
were off by 0.07.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnxscript import opset18

ops: Any = opset18  # whose operators' types are narrower than what they take
_FLOAT = onnx.TensorProto.FLOAT


def bicubic(
    x: Any, size: Sequence[Any], align_corners: bool, scales_h: float | None = None, scales_w: float | None = None
) -> Any:
    """Translate torch's `interpolate(mode="bicubic", antialias=True)`: both axes are products with a matrix.

    Args:
        x: (N, C, H, W) float32.
        size: the two sides of the result, numbers or values of the graph.
        align_corners: not known here; networks that resample positions do without.
        scales_h: what torch was told besides the size, which decides.
        scales_w: the same of the columns.
    """
    if align_corners:
        raise NotImplementedError("bicubic resampling against aliasing with aligned corners")
    rows, columns = (_weights(ops.Shape(x, start=axis, end=axis + 1), size[axis - 2]) for axis in (2, 3))
    return ops.MatMul(ops.MatMul(rows, x), ops.Transpose(columns, perm=[1, 0]))


def _weights(before: Any, after: Any) -> Any:
    """(after, before): by how much each old cell counts for each new one; Keys 1981 with a = -0.5, as in Pillow."""
    old, new = (ops.Cast(ops.Reshape(side, _int64(-1)), to=_FLOAT) for side in (before, after))
    scale = ops.Div(old, new)
    centres = ops.Mul(ops.Add(_numbers(new), _float(0.5)), scale)
    places = ops.Add(_numbers(old), _float(0.5))
    away = ops.Sub(ops.Unsqueeze(places, _int64(0)), ops.Unsqueeze(centres, _int64(1)))
    d = ops.Abs(ops.Div(away, ops.Max(scale, _float(1.0))))  # a smaller result averages over more cells
    near = _polynomial(d, 1.5, -2.5, 0.0, 1.0)
    far = _polynomial(d, -0.5, 2.5, -4.0, 2.0)
    weights = ops.Where(ops.Less(d, _float(1.0)), near, ops.Where(ops.Less(d, _float(2.0)), far, _float(0.0)))
    return ops.Div(weights, ops.ReduceSum(weights, _int64(1), keepdims=1))


def _numbers(count: Any) -> Any:
    """0, 1, ..., count - 1 in float32."""
    return ops.Range(_float(0.0), ops.Squeeze(count), _float(1.0))


def _polynomial(d: Any, *coefficients: float) -> Any:
    """The highest power's coefficient first."""
    value: Any = _float(coefficients[0])
    for coefficient in coefficients[1:]:
        value = ops.Add(ops.Mul(value, d), _float(coefficient))
    return value


def _float(value: float) -> Any:
    return ops.Constant(value=onnx.numpy_helper.from_array(np.array(value, np.float32)))


def _int64(value: int) -> Any:
    return ops.Constant(value=onnx.numpy_helper.from_array(np.array([value], np.int64)))
