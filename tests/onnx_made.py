"""ONNX files written byte by byte, so that tests need neither the onnx package nor torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing

SPACE = LabelSpace(("dark", "bright"))
PLAIN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
_TYPES = {"float32": 1, "int64": 7, "float16": 10, "uint8": 2}


def varint(value: int) -> bytes:
    """Encode a number of 7 bits a byte."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: int | bytes | str) -> bytes:
    """Encode one field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: NDArray[Any], *, external: str = "") -> bytes:
    """Encode a TensorProto."""
    parts = [field(1, side) for side in values.shape] + [field(2, _TYPES[str(values.dtype)]), field(8, name)]
    if external:
        parts += [field(13, field(1, "location") + field(2, external)), field(14, 1)]
    else:
        parts.append(field(9, values.tobytes()))
    return b"".join(parts)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """Encode a NodeProto with attributes of whole numbers."""
    parts = [field(1, one) for one in inputs] + [field(2, output), field(4, operator)]
    for name, value in attributes.items():
        many = [value] if isinstance(value, int) else value
        number, kind = (3, 2) if isinstance(value, int) else (8, 7)
        parts.append(field(5, field(1, name) + b"".join(field(number, one) for one in many) + field(20, kind)))
    return b"".join(parts)


def values(name: str, channels: int) -> bytes:
    """Encode the ValueInfoProto of float32 (n, channels, h, w)."""
    sides = [field(2, "n"), field(1, channels), field(2, "h"), field(2, "w")]
    shape = b"".join(field(1, side) for side in sides)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def network(
    weight: NDArray[Any] | None = None, *, stride: int = 4, classes: int = 2, external: str = "", operator: str = "Conv"
) -> bytes:
    """A ModelProto without metadata: the mean of each cell, then a convolution of 1x1 with `weight` (K, 3, 1, 1)."""
    if weight is None:
        weight = np.zeros((classes, 3, 1, 1), np.float32)
        weight[0], weight[1] = -1 / 3, 1 / 3
    nodes = [
        node("AveragePool", ["image"], "cells", kernel_shape=[stride] * 2, strides=[stride] * 2, ceil_mode=1),
        node(operator, ["cells", "head.weight", "head.bias"], "logits"),
    ]
    bias = np.array([0.5, -0.5] + [-9.0] * (len(weight) - 2), np.float32)
    graph = b"".join(field(1, one) for one in nodes) + field(2, "network")
    graph += field(5, tensor("head.weight", weight, external=external)) + field(5, tensor("head.bias", bias))
    graph += field(11, values("image", 3)) + field(12, values("logits", len(weight)))
    return field(1, 8) + field(2, "tests") + field(7, graph) + field(8, field(1, "") + field(2, 19))


def described(texts: Mapping[str, str]) -> bytes:
    """The metadata of a ModelProto."""
    return b"".join(field(14, field(1, key) + field(2, text)) for key, text in texts.items())


def write_onnx(
    path: Path,
    net: bytes | None = None,
    *,
    description: Description | None = None,
    space: LabelSpace = SPACE,
    **exported: Any,
) -> Path:
    """Write a described network that calls what is brighter than one half "bright"."""
    found = description or Description("threshold", {}, space, PLAIN)
    use = {
        "stride": 4, "align_corners": False, "margin": 0, "precision": "fp32", "origin": "", "agreement": 1.0,
        **exported,
    }  # fmt: skip
    texts = {"intarsia": found.to_metadata(), "intarsia.runtime": json.dumps(use)}
    path.write_bytes((network(stride=use["stride"]) if net is None else net) + described(texts))
    return path
