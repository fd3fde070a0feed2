"""Model files of the form .onnx, read without the onnx package: metadata and weights, and whether it is whole.

The field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; the encoding is that of
https://protobuf.dev/programming-guides/encoding. Only the bytes that are asked for are touched.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import ModelError

_MAX_BYTES = 2**31 - 1  # protobuf's own bound
_MAX_DEPTH = 16  # of graphs within graphs
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _MODEL_METADATA, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 14, 20, 25
_TRAINING_GRAPHS = (1, 2)
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_FUNCTION_NODE, _FUNCTION_DEFAULT = 7, 11
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_SPARSE_TENSORS = (1, 2)  # values and places
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 2, 8, 9, 13, 14
_TYPES: dict[int, str] = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4",
    13: "<u8",
}  # fmt: skip

Fields = Iterator[tuple[int, int | memoryview]]


def metadata(file: Path) -> dict[str, str]:
    """Read the texts that a file carries beside its graph.

    Raises:
        ModelError: it is missing, damaged or no ONNX file.
    """
    found = {}
    for entry in _every(_opened(file), _MODEL_METADATA, file):
        parts = {number: _text(value, file) for number, value in _fields(entry, file) if number in (1, 2)}
        found[parts.get(1, "")] = parts.get(2, "")
    return found


def check(file: Path) -> None:
    """Check that a file is whole and by itself, before a runtime opens it.

    Raises:
        ModelError: it is missing or damaged, or its weights lie in other files.
    """
    data = _opened(file)
    if len(list(_every(data, _MODEL_GRAPH, file))) != 1:
        raise _damaged(file)
    for tensor in _stored(data, file):
        _check_inside(tensor, file)


def tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Read the weights of the graph by name, as they are stored.

    Names of weights have a dot, as in a state dict; those of the graph's own constants have none.

    Raises:
        ModelError: the file is damaged, or its weights lie in other files.
    """
    check(file)
    found = {}
    for graph in _every(_opened(file), _MODEL_GRAPH, file):
        for tensor in _every(graph, _GRAPH_INITIALIZER, file):
            name, values = _array(tensor, file)
            if "." in name:
                found[name] = values
    return found


def digest(file: Path, into: hashlib._Hash) -> None:
    """Add its graph, weights included, to a checksum."""
    for graph in _every(_opened(file), _MODEL_GRAPH, file):
        into.update(graph)


def _opened(file: Path) -> memoryview:
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            if size == 0:
                raise ModelError(f"{file}: the file is empty; fetch or copy it again")
            if size > _MAX_BYTES:
                raise ModelError(f"{file}: {size / 1e9:.1f} GB, and an ONNX file has at most 2; export it again")
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise ModelError(f"{file}: no such model; check the path") from None
    except IsADirectoryError:
        raise ModelError(f"{file}: a folder, not a model; name the .onnx file in it") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from error


def _damaged(file: Path) -> ModelError:
    return ModelError(f"{file}: no ONNX file, or a truncated or damaged one; fetch or export it again")


def _fields(message: memoryview, file: Path) -> Fields:
    """The fields of a message in their order: number, and what it holds (numbers, or the bytes)."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place, file)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise _damaged(file)
        if kind == _VARINT:
            value, place = _varint(message, place, file)
            yield number, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if kind == _BYTES:
            length, place = _varint(message, place, file)
        if length is None or place + length > end:
            raise _damaged(file)
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int, file: Path) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise _damaged(file)


def _every(message: memoryview, wanted: int, file: Path) -> Iterator[memoryview]:
    for number, value in _fields(message, file):
        if number == wanted:
            if not isinstance(value, memoryview):
                raise _damaged(file)
            yield value


def _text(value: int | memoryview, file: Path) -> str:
    try:
        return bytes(value).decode() if isinstance(value, memoryview) else ""
    except UnicodeDecodeError:
        raise _damaged(file) from None


def _stored(model: memoryview, file: Path) -> Iterator[memoryview]:
    """Every tensor of a model, those that only training or a function would use included."""
    for number, value in _messages(model, file):
        if number == _MODEL_GRAPH:
            yield from _tensors(value, file)
        elif number == _MODEL_TRAINING:
            for part, graph in _messages(value, file):
                if part in _TRAINING_GRAPHS:
                    yield from _tensors(graph, file)
        elif number == _MODEL_FUNCTIONS:
            for part, found in _messages(value, file):
                if part == _FUNCTION_NODE:
                    yield from _tensors_of_node(found, file, 0)
                elif part == _FUNCTION_DEFAULT:
                    yield from _tensors_of_attribute(found, file, 0)


def _messages(message: memoryview, file: Path) -> Iterator[tuple[int, memoryview]]:
    """Its fields that hold bytes."""
    return ((number, value) for number, value in _fields(message, file) if isinstance(value, memoryview))


def _tensors(graph: memoryview, file: Path, depth: int = 0) -> Iterator[memoryview]:
    """Every tensor of a graph: its weights, and those in its nodes, graphs within them included."""
    if depth > _MAX_DEPTH:
        raise _damaged(file)
    for number, value in _messages(graph, file):
        if number == _GRAPH_INITIALIZER:
            yield value
        elif number == _GRAPH_SPARSE:
            yield from _tensors_of_sparse(value, file)
        elif number == _GRAPH_NODE:
            yield from _tensors_of_node(value, file, depth)


def _tensors_of_node(node: memoryview, file: Path, depth: int) -> Iterator[memoryview]:
    for attribute in _every(node, _NODE_ATTRIBUTE, file):
        yield from _tensors_of_attribute(attribute, file, depth)


def _tensors_of_attribute(attribute: memoryview, file: Path, depth: int) -> Iterator[memoryview]:
    for number, value in _messages(attribute, file):
        if number in _ATTRIBUTE_TENSORS:
            yield value
        elif number in _ATTRIBUTE_SPARSE:
            yield from _tensors_of_sparse(value, file)
        elif number in _ATTRIBUTE_GRAPHS:
            yield from _tensors(value, file, depth + 1)


def _tensors_of_sparse(sparse: memoryview, file: Path) -> Iterator[memoryview]:
    return (value for number, value in _messages(sparse, file) if number in _SPARSE_TENSORS)


def _check_inside(tensor: memoryview, file: Path) -> None:
    for number, value in _fields(tensor, file):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == 1):
            raise ModelError(
                f"{file}: its weights lie in other files, which Intarsia does not open; export it again as one file "
                "(intarsia export MODEL -o FILE.onnx)"
            )


def _array(tensor: memoryview, file: Path) -> tuple[str, NDArray[Any]]:
    """Name and values of a tensor."""
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for number, value in _fields(tensor, file):
        if number == _TENSOR_DIMS and isinstance(value, memoryview):  # packed
            place = 0
            while place < len(value):
                side, place = _varint(value, place, file)
                shape.append(side)
        elif number == _TENSOR_DIMS and isinstance(value, int):
            shape.append(value)
        elif number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_NAME:
            name = _text(value, file)
        elif number == _TENSOR_RAW and isinstance(value, memoryview):
            raw = value
    try:
        return name, np.frombuffer(raw, dtype=_TYPES[kind]).reshape(shape)
    except (KeyError, ValueError):
        raise _damaged(file) from None
