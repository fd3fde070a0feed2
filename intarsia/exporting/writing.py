"""Exported networks as files, whole or not at all."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from intarsia.errors import ModelError
from intarsia.exporting.naming import number_names
from intarsia.files import atomic_path, sweep, sync
from intarsia.runtimes.openvino_library import library


def write_onnx(network: onnx.ModelProto, texts: Mapping[str, str], file: Path) -> None:
    """Write an ONNX file; what a tracer noted about the source code, its paths among it, is left out.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    described = copy.deepcopy(network)
    graph = described.graph
    for noted in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del noted.metadata_props[:]
        noted.doc_string = ""
    onnx.helper.set_model_props(described, dict(texts))
    sweep(file)
    with atomic_path(file) as temporary:
        temporary.write_bytes(described.SerializeToString(deterministic=True))


def write_openvino(network: Any, texts: Mapping[str, str], file: Path) -> None:
    """Write a network of OpenVINO: its graph to `file` (.xml), its numbers beside it (.bin), both or none.

    The same network is the same bytes in every process.

    Args:
        network: OpenVINO's model.
        texts: what the file carries beside the network.
        file: the graph's.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    openvino = library()
    number_names(network)
    for key, text in texts.items():
        network.set_rt_info(text, [key])
    numbers = file.with_suffix(".bin")
    sweep(file)
    sweep(numbers)
    # The graph is renamed last: until then nothing here is a model, and never is one half of an earlier one.
    with atomic_path(file) as graph, atomic_path(numbers) as beside:
        openvino.save_model(network, str(graph), compress_to_fp16=False)
        sync(beside)
        file.unlink(missing_ok=True)


def halved(network: onnx.ModelProto, *, rounded: bool) -> onnx.ModelProto:
    """Store the weights (of two or more dimensions) of a copy as float16, from which they are computed in float32.

    Args:
        network: in float32.
        rounded: whether weights may be rounded; if not, only those are stored so whose values float16 holds exactly, as
            are those of bundles that were saved by half.

    Raises:
        ModelError: a weight that shall be rounded is too large for float16.
    """
    made = copy.deepcopy(network)
    casts = []
    for tensor in made.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        with np.errstate(over="ignore"):
            single, values = numpy_helper.to_array(tensor), numpy_helper.to_array(tensor).astype(np.float16)
        if not rounded and not np.array_equal(single, values):
            continue
        if not np.isfinite(values).all():
            raise ModelError(f"{tensor.name} has values that float16 cannot hold; export it in fp32")
        name, cast = tensor.name, f"{tensor.name}/float32"
        tensor.CopyFrom(numpy_helper.from_array(values, name))
        casts.append(onnx.helper.make_node("Cast", [name], [cast], name=cast, to=onnx.TensorProto.FLOAT))
        for node in made.graph.node:
            for index, given in enumerate(node.input):
                if given == name:
                    node.input[index] = cast
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made
