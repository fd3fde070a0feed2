"""TensorFlow Lite networks as ONNX graphs of standard operators, weights unchanged.

Maps of four dimensions become channels-first, (N, C, H, W); anything else keeps its order. Weights stay in the type in
which they are stored: float16 ones are cast within the graph. Only the operators that `OPERATORS` names are known, and
of TensorFlow's padding only "same" (its surplus below and on the right) and "valid".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 17
_DTYPES = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2", tflite.TensorType.INT32: "<i4"}
_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}


class Graph:
    """An ONNX graph that grows node by node.

    Args:
        file: of the network to translate.
    """

    def __init__(self, file: Path) -> None:
        self._model = tflite.Model.GetRootAs(file.read_bytes(), 0)
        self._source = self._model.Subgraphs(0)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._constants: dict[int, NDArray[Any]] = {}
        self._names: dict[int, str] = {}
        (given,) = self._source.InputsAsNumpy()
        self.shape = self.shape_of(given)
        self._names[given] = "image"

    def operators(self) -> Iterator[tuple[str, Any]]:
        """Every operator in its order: its kind (a custom one's own name), and itself."""
        for number in range(self._source.OperatorsLength()):
            operator = self._source.Operators(number)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            kind = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            yield code.CustomCode().decode() if kind == "CUSTOM" else kind, operator

    def translate(self) -> list[str]:
        """Translate all operators; what the outputs are called here, in the file's order."""
        for kind, operator in self.operators():
            if kind == "DEQUANTIZE":  # float16 weights: they are cast where they are used
                given, made = operator.Inputs(0), operator.Outputs(0)
                self._constants[made] = self.constant(given)
                continue
            inputs, (made,) = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
            self._names[made] = OPERATORS[kind](self, operator, inputs, made)
        return [self._names[number] for number in self._source.OutputsAsNumpy()]

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add one node of one output; the output's name."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def value(self, array: NDArray[Any] | Sequence[float] | float, dtype: str = "f4") -> str:
        """A constant of the graph's own, no weight."""
        name = f"constant_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def weight(self, array: NDArray[Any]) -> str:
        """A weight in the type in which it is stored, cast where that is float16. Its name has a dot."""
        name = f"layer{len(self._nodes)}.weight{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return self.add("Cast", name, to=onnx.TensorProto.FLOAT) if array.dtype == np.float16 else name

    def constant(self, number: int) -> NDArray[Any]:
        """The stored values of a tensor, in the file's own order."""
        if number not in self._constants:
            tensor = self._source.Tensors(number)
            stored = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
            self._constants[number] = np.frombuffer(stored.tobytes(), _DTYPES[tensor.Type()]).reshape(
                self.shape_of(number)
            )
        return self._constants[number]

    def name(self, number: int) -> str:
        """What a tensor is called: what an operator made, or a constant as an operand of arithmetic."""
        if number not in self._names:
            values = self.constant(number)
            self._names[number] = self.weight(values.transpose(0, 3, 1, 2) if values.ndim == 4 else values)
        return self._names[number]

    def input_of(self, name: str) -> str:
        """The input of the node that made `name`: what was there before it."""
        return str(next(node.input[0] for node in self._nodes if node.output[0] == name))

    def shape_of(self, number: int) -> tuple[int, ...]:
        """The shape of a tensor, in the file's own order."""
        tensor = self._source.Tensors(number)
        return tuple(tensor.ShapeAsNumpy().tolist()) if tensor.ShapeLength() else ()

    def activated(self, name: str, function: int) -> str:
        """Add the activation that an operator brings with it."""
        if function == tflite.ActivationFunctionType.RELU6:
            return self.add("Clip", name, self.value(0.0), self.value(6.0))
        if function == tflite.ActivationFunctionType.RELU:
            return self.add("Relu", name)
        if function != tflite.ActivationFunctionType.NONE:
            raise ValueError(f"activation {function} is not known")
        return name

    def finish(self, outputs: dict[str, tuple[str, Sequence[int | str]]]) -> onnx.ModelProto:
        """Make the model.

        Args:
            outputs: name in this graph and shape of each output, by the name that it gets.
        """
        _, height, width, channels = self.shape
        image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", channels, height, width])
        made = []
        for wanted, (name, shape) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [name], [wanted]))
            made.append(helper.make_tensor_value_info(wanted, onnx.TensorProto.FLOAT, shape))
        graph = helper.make_graph(self._nodes, "network", [image], made, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def _options(kind: type, operator: Any) -> Any:
    found = kind()
    table = operator.BuiltinOptions()
    found.Init(table.Bytes, table.Pos)
    return found


def _pads(padding: int, sides: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
    """ONNX's pads (all before, then all after) of TensorFlow's padding."""
    if padding == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    lacking = [
        max(0, (math.ceil(side / stride) - 1) * stride + length - side)
        for side, length, stride in zip(sides, kernel, strides, strict=True)
    ]
    return [one // 2 for one in lacking] + [one - one // 2 for one in lacking]


def _conv(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    options = _options(tflite.Conv2DOptions, operator)
    return _convolved(graph, options, inputs, graph.constant(inputs[1]).transpose(0, 3, 1, 2), groups=1)


def _depthwise(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    options = _options(tflite.DepthwiseConv2DOptions, operator)
    channels = graph.shape_of(inputs[0])[3]
    return _convolved(graph, options, inputs, graph.constant(inputs[1]).transpose(3, 0, 1, 2), groups=channels)


def _convolved(graph: Graph, options: Any, inputs: list[int], kernel: NDArray[Any], *, groups: int) -> str:
    if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
        raise ValueError("dilated convolutions are not known")
    strides, sides = [options.StrideH(), options.StrideW()], graph.shape_of(inputs[0])[1:3]
    pads = _pads(options.Padding(), sides, kernel.shape[2:], strides)
    weight, bias = graph.weight(kernel), graph.weight(graph.constant(inputs[2]))
    found = graph.add("Conv", graph.name(inputs[0]), weight, bias, strides=strides, pads=pads, group=groups)
    return graph.activated(found, options.FusedActivationFunction())


def _transposed(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    """MediaPipe's Convolution2DTransposeBias of 2x2 at stride 2: weights (out, h, w, in)."""
    weight, bias = graph.weight(graph.constant(inputs[1]).transpose(3, 0, 1, 2)), graph.constant(inputs[2])
    return graph.add("ConvTranspose", graph.name(inputs[0]), weight, graph.weight(bias), strides=[2, 2])


def _pooled(kind: str) -> Callable[[Graph, Any, list[int], int], str]:
    def translate(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
        options = _options(tflite.Pool2DOptions, operator)
        kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        sides = graph.shape_of(inputs[0])[1:3]
        if kind == "AveragePool" and tuple(kernel) == sides:
            return graph.add("GlobalAveragePool", graph.name(inputs[0]))
        pads = _pads(options.Padding(), sides, kernel, strides)
        return graph.add(kind, graph.name(inputs[0]), kernel_shape=kernel, strides=strides, pads=pads)

    return translate


def _arithmetic(kind: str, options: type) -> Callable[[Graph, Any, list[int], int], str]:
    def translate(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
        found = graph.add(kind, *(graph.name(number) for number in inputs))
        return graph.activated(found, _options(options, operator).FusedActivationFunction())

    return translate


def _simple(kind: str) -> Callable[[Graph, Any, list[int], int], str]:
    return lambda graph, operator, inputs, made: graph.add(kind, graph.name(inputs[0]))


def _prelu(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    slope = graph.weight(graph.constant(inputs[1]).transpose(2, 0, 1))
    return graph.add("PRelu", graph.name(inputs[0]), slope)


def _pad(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    before, after = graph.constant(inputs[1])[[0, 3, 1, 2]].T
    return graph.add("Pad", graph.name(inputs[0]), graph.value(np.concatenate([before, after]), "i8"))


def _resize(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    options = _options(tflite.ResizeBilinearOptions, operator)
    if options.AlignCorners() or not options.HalfPixelCenters():
        raise ValueError("only half-pixel centres are known")
    (_, *small, _), (_, *large, _) = graph.shape_of(inputs[0]), graph.shape_of(made)
    scales = graph.value([1, 1, *(b / a for a, b in zip(small, large, strict=True))])
    return graph.add("Resize", graph.name(inputs[0]), "", scales, mode="linear")


def _reshape(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    name, shape = graph.name(inputs[0]), graph.shape_of(made)
    if len(graph.shape_of(inputs[0])) == 4:
        name = graph.add("Transpose", name, perm=[0, 2, 3, 1])
    name = graph.add("Reshape", name, graph.value([-1, *shape[1:]], "i8"))
    return graph.add("Transpose", name, perm=[0, 3, 1, 2]) if len(shape) == 4 else name


def _concatenated(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    axis = _options(tflite.ConcatenationOptions, operator).Axis()
    if len(graph.shape_of(made)) == 4:
        axis = [0, 2, 3, 1][axis]
    return graph.add("Concat", *(graph.name(number) for number in inputs), axis=axis)


def _whole(graph: Graph, operator: Any, inputs: list[int], made: int) -> str:
    if graph.shape_of(inputs[0]) != graph.shape_of(made):
        raise ValueError("a slice that leaves something out is not known")
    return graph.name(inputs[0])


OPERATORS: dict[str, Callable[[Graph, Any, list[int], int], str]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "Convolution2DTransposeBias": _transposed,
    "AVERAGE_POOL_2D": _pooled("AveragePool"),
    "MAX_POOL_2D": _pooled("MaxPool"),
    "ADD": _arithmetic("Add", tflite.AddOptions),
    "MUL": _arithmetic("Mul", tflite.MulOptions),
    "RELU": _simple("Relu"),
    "LOGISTIC": _simple("Sigmoid"),
    "HARD_SWISH": _simple("HardSwish"),
    "PRELU": _prelu,
    "PAD": _pad,
    "RESIZE_BILINEAR": _resize,
    "RESHAPE": _reshape,
    "CONCATENATION": _concatenated,
    "STRIDED_SLICE": _whole,
}
"""How each operator is translated: the graph, the operator, its inputs and its output; to the output's name."""
