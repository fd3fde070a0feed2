"""From a network of PyTorch to an ONNX graph, whose tensors keep the names of the state dict."""

from __future__ import annotations

import copy
import logging
import operator
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import onnx
import torch
from onnxscript import ir, opset18, optimizer
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.exporting import neighbours
from intarsia.exporting.resampling import bicubic
from intarsia.models import SegmentationModel

OPSET = 18
OUTPUT = "logits"
_PREFIX = "network."


class _Traced(NamedTuple):
    """How a network with inputs of one name is translated.

    Attributes:
        batch: of the example.
        sides: of the example.
        translations: from the points of the largest block to what is told of the operators of such networks.
    """

    batch: int
    sides: tuple[int, ...]
    translations: Callable[[int], Mapping[Any, Callable[..., Any]]] = lambda points: {}


# A batch of two, and sides that no stride divides and whose maps have as many cells as nothing else: what is equal by
# chance, such as a map and the regions that it is averaged over, would be taken for always equal.
_TRACED = {
    "image": _Traced(2, (262, 330)),
    "points": _Traced(2, (2090,), neighbours.translations),  # more than any network chooses of a block
}


class _Logits(nn.Module):
    """A network whose `forward` gives its logits at their own stride."""

    def __init__(self, network: SegmentationModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.logits(x)


class _Blocks(nn.Module):
    """Averages of k x k blocks, at the border of what is there of them (pooling with `ceil_mode`).

    OpenVINO's own pooling gives nothing, without an error, where a map is smaller than a block.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        missing = (0, -width % self.side, 0, -height % self.side)
        there = F.pad(torch.ones(1, 1, height, width), missing)
        return F.avg_pool2d(F.pad(x, missing), self.side) / F.avg_pool2d(there, self.side)


class _Averages(nn.Module):
    """Averages over n x n regions of a map of any size, which ONNX's pooling only knows where n divides the sides."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self._shares(side) for side in x.shape[2:])
        return rows @ x @ columns.transpose(0, 1)

    def _shares(self, side: int) -> Tensor:
        """(n, side): by how much each cell counts for each region; regions meet or overlap by one cell."""
        region, cell = torch.arange(self.count)[:, None], torch.arange(side)[None]
        first, last = region * side // self.count, ((region + 1) * side + self.count - 1) // self.count
        inside = ((cell >= first) & (cell < last)).float()
        return inside / (last - first).float()


def require_exportable(model: SegmentationModel, title: str) -> SegmentationModel:
    """Refuse a model that is no network of pictures or points with a fixed course of arithmetic.

    Raises:
        ModelError: it is not; says why, and what can be exported.
    """
    if model.unexportable:
        raise ModelError(
            f"{title} cannot be exported: {model.unexportable}. Networks "
            "of pictures, rasters, volumes and points can be, and those for video as they see a single frame"
        )
    return model


def to_onnx(model: SegmentationModel, points: int = 0) -> onnx.ModelProto:
    """Translate a network: one input "image" (N, C, H, W) or "points" (N, C, P), one output "logits" at its stride.

    Batch and sides are free. Norms are not folded into convolutions, so that the weights stay those of the state dict.

    Args:
        model: in evaluation mode, float32; it is left as it is.
        points: of the largest block that a network of points sees; see `block_sizes`.
    """
    network = copy.deepcopy(model).eval().requires_grad_(False)
    for name, module in list(network.named_modules()):
        if getattr(module, "inplace", False):
            module.inplace = False  # what works in place is taken apart into much smaller steps
        if isinstance(module, nn.AdaptiveAvgPool2d) and isinstance(module.output_size, int):
            network.set_submodule(name, _Averages(module.output_size))
        if isinstance(module, nn.AvgPool2d) and module.ceil_mode:
            side = module.kernel_size
            if isinstance(side, int) and side == module.stride:
                network.set_submodule(name, _Blocks(side))
    traced = _TRACED[model.input_name]
    free = torch.export.Dim.DYNAMIC
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            _Logits(network).eval(),
            (torch.zeros(traced.batch, model.in_channels, *traced.sides),),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes={"x": {0: free} | {axis: free for axis in range(2, 2 + len(traced.sides))}},
            input_names=[model.input_name],
            output_names=[OUTPUT],
            custom_translation_table=(
                _OF_SIDES | {torch.ops.aten._upsample_bicubic2d_aa.default: bicubic} | dict(traced.translations(points))
            ),
            optimize=False,
            verbose=False,
        )
    assert program is not None
    return _tidied(program.model)


def _rounded(value: Any, digits: None = None) -> Any:
    """Python's `round` of a side that was multiplied: to the nearest whole number, halves to the even one."""
    return opset18.Cast(opset18.Round(value), to=onnx.TensorProto.INT64)


def _floor_divided(side: Any, by: Any) -> Any:
    """Division of sides towards minus infinity, on which rounding up, ``-(-side // by)``, relies; ONNX's cuts off."""
    return opset18.Div(opset18.Sub(side, opset18.Mod(side, by)), by)


def _remainder(side: Any, by: Any) -> Any:
    """Of a division towards minus infinity, as Python's."""
    return opset18.Mod(side, by)


_OF_SIDES: dict[Any, Any] = {
    round: _rounded,
    operator.floordiv: _floor_divided,
    operator.mod: _remainder,
    torch.ops.aten.remainder.Scalar: _remainder,
}
"""What the exporter does not know of whole numbers, or gets wrong below zero."""


def _is_kept(node: ir.Node) -> bool | None:
    """Weights stay as the state dict has them: what turns them around is not computed beforehand."""
    return False if any(value is not None and "." in (value.name or "") for value in node.inputs) else None


def _tidied(model: ir.Model) -> onnx.ModelProto:
    """Fold constants, and leave out what only the translation needed."""
    optimizer.inline(model)
    optimizer.fold_constants_ir(model, should_fold=_is_kept)
    passes: Any = ir.passes.common  # half typed
    for tidy in (
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.ClearMetadataAndDocStringPass(),
    ):
        tidy(model)
    for value in list(model.graph.initializers.values()):
        value.name = (value.name or "").removeprefix(_PREFIX)
    _name_layers(model)
    _drop_zero_biases(model)
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    for value, names in ((proto.graph.input[0], _SIDES), (proto.graph.output[0], _CELLS)):
        for side, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
            if name and not side.HasField("dim_value"):
                side.dim_param = name
    for value in (*proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
    proto.producer_name, proto.producer_version = "intarsia", ""
    onnx.checker.check_model(proto)
    return proto


def _name_layers(model: ir.Model) -> None:
    """Name each layer after its weight, so that reports can speak of it; a weight that is shared gets numbers."""
    used: Counter[str] = Counter()
    for node in model.graph:
        names = [value.name or "" for value in node.inputs if value is not None]
        name = next((name.removesuffix(".weight") for name in names if name.endswith(".weight")), None)
        if name is not None:
            node.name = f"{name}.{used[name]}" if used[name] else name
            used[name] += 1


def _drop_zero_biases(model: ir.Model) -> None:
    """The exporter gives every convolution a bias; that of one without is zero, and no tensor of the state dict."""
    for node in model.graph:
        bias = node.inputs[2] if node.op_type in ("Conv", "ConvTranspose") and len(node.inputs) == 3 else None
        if bias is None or bias.const_value is None or "." in (bias.name or ""):
            continue
        if not bias.const_value.numpy().any():
            node.resize_inputs(2)
    ir.passes.common.RemoveUnusedNodesPass()(model)


_SIDES = ("N", "", "H", "W")
_CELLS = ("N", "", "h", "w")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own remarks, which are for those who write exporters."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
