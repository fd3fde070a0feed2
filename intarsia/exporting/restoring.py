"""Operations of a network in eight bits that compute in floats again, on OpenVINO's graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_BETWEEN = ("Reshape", "Convert", "Multiply", "Subtract", "Transpose")  # an integer weight and its layer
_INTEGERS = ("i8", "u8")


def rounded(model: Any) -> tuple[str, ...]:
    """Names of the operations that see rounded maps, first ones first; not only layers, but also sums of maps, ..."""
    order = [operation.get_friendly_name() for operation in model.get_ordered_ops()]
    found = set()
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "FakeQuantize":
            for port in operation.output(0).get_target_inputs():  # in no order that would stay
                if port.get_node().get_type_name() != "ShapeOf":
                    found.add(port.get_node().get_friendly_name())
    return tuple(name for name in order if name in found)


def restored(quantised: Any, floats: Any, names: Iterable[str]) -> Any:
    """Copy a quantised network, in which some operations compute as they did before.

    Args:
        quantised: OpenVINO's model, as NNCF makes it.
        floats: the model that it was made from, constants folded.
        names: of the operations.
    """
    made, wanted = quantised.clone(), set(names)
    before = {operation.get_friendly_name(): operation for operation in floats.get_ops()}
    for operation in made.get_ordered_ops():
        if operation.get_friendly_name() in wanted:
            _restore(operation, before)
    made.validate_nodes_and_infer_types()
    return made


def _restore(operation: Any, before: Mapping[str, Any]) -> None:
    """Give one operation its inputs as they were, and the bias behind it, which quantising corrects."""
    for index, port in enumerate(operation.inputs()):
        source = port.get_source_output().get_node()
        if source.get_type_name() == "FakeQuantize":
            port.replace_source_output(source.input_value(0))
        elif is_integer(source):
            _set(port, _constant(before.get(operation.get_friendly_name()), index))
    behind = [port.get_node() for port in operation.output(0).get_target_inputs()]
    if len(behind) != 1 or behind[0].get_type_name() != "Add":
        return
    for index, port in enumerate(behind[0].inputs()):
        bias = port.get_source_output().get_node()
        if bias.get_type_name() == "Constant":
            original = _constant(before.get(behind[0].get_friendly_name()), index)
            _set(port, np.zeros(bias.get_output_shape(0), np.float32) if original is None else original)


def _constant(operation: Any, index: int) -> Any:
    """The numbers that an operation has as one of its inputs; None if it has none."""
    node = None if operation is None else operation.input_value(index).get_node()
    return node.get_data() if node is not None and node.get_type_name() == "Constant" else None


def _set(port: Any, numbers: Any) -> None:
    from openvino import opset13 as ops

    if numbers is not None:
        port.replace_source_output(ops.constant(np.array(numbers)).output(0))


def is_integer(node: Any) -> bool:
    """Tell whether a node gives weights that are stored as integers of eight bits."""
    first = maker(node)
    return first.get_type_name() == "Constant" and first.get_element_type().get_type_name() in _INTEGERS


def maker(node: Any) -> Any:
    """Find what makes the numbers that a node only scales or reshapes, as it does integer weights."""
    while node.get_type_name() in _BETWEEN:
        node = node.input_value(0).get_node()
    return node
