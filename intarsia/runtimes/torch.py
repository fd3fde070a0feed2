"""PyTorch: the same network, faster: norms folded, activations fused, channels-last, bfloat16 where it pays."""

from __future__ import annotations

import copy
import math
import time
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.hooks import RemovableHandle

from intarsia.bundle import Bundle
from intarsia.errors import UsageError, suggest
from intarsia.media.source import Place
from intarsia.models import ImageModel, SegmentationModel
from intarsia.models.contract import image_model
from intarsia.models.restore import restore
from intarsia.runtimes.contract import Floats, Precision

_PRECISIONS: tuple[Precision, ...] = ("auto", "fp32", "bf16")
_PROBE = 64
_TRIAL_SIZE = (192, 256)
_TRIAL_ROUNDS = 6
_WORTHWHILE = 0.85  # bfloat16 rounds, so it has to be clearly faster, not just on this throw of the dice
_CLEAR = 1.3
_TOLERANCE = 1e-3

# What oneDNN can apply to a convolution's result, in the terms of torch's operator: name, numbers, variant.
_POST_OPS: dict[type, tuple[str, list[float], str]] = {
    type(None): ("none", [], ""),
    nn.ReLU: ("relu", [], ""),
    nn.ReLU6: ("hardtanh", [0.0, 6.0], ""),
    nn.Hardswish: ("hardswish", [], ""),
    nn.SiLU: ("swish", [], ""),
}


class TorchRuntime:
    """A network of PyTorch, made faster; see `Runtime`.

    Args:
        model: in evaluation mode, float32; it is left as it is.
        precision: see `accelerate`.
        device: where it computes: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU if there is one.

    Attributes:
        model: the faster copy, on its device, for what works on torch's modules themselves.
        device: where it computes.

    Raises:
        UsageError: no such precision or device, or the processor does not compute in bfloat16 by itself.
    """

    name = "torch"

    def __init__(self, model: SegmentationModel, *, precision: Precision = "auto", device: str = "auto") -> None:
        if precision not in _PRECISIONS:
            raise UsageError(f"the runtime torch has no precision {precision!r}.{suggest(precision, _PRECISIONS)}")
        self.device = find_device(device)
        if precision == "bf16" and not has_bf16(self.device.type):
            raise UsageError(
                f"{self.device.type} does not compute in bfloat16 here (see: intarsia doctor); use auto or fp32"
            )
        self._on_grid = model.on_grid
        if precision == "bf16" and not self._on_grid:
            raise UsageError("networks of points compute in fp32; use auto or fp32")
        self.in_channels, self.align_corners = model.in_channels, model.align_corners
        self.margin = image_model(model).margin if self._on_grid else 0
        self.model: SegmentationModel = accelerate(model, precision, self.device)
        first = next(self.model.parameters(), None)
        self._dtype = torch.float32 if first is None else first.dtype
        self.precision = "bf16" if self._dtype == torch.bfloat16 else "fp32"
        gpu = self.device.type == "cuda"
        feature = torch.cuda.get_device_name(self.device) if gpu else torch.backends.cpu.get_cpu_capability()
        self.processor = f"{self.device.type} {feature}"
        self.stride = self._probe_stride() if self._on_grid else 1

    @classmethod
    def of(cls, bundle: Bundle, precision: Precision = "auto", device: str = "auto") -> TorchRuntime:
        """Restore a bundle's model and make it ready."""
        return cls(restore(bundle), precision=precision, device=device)

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        with torch.inference_mode():
            given = torch.from_numpy(x).to(self.device, self._dtype)
            if self._on_grid:
                given = given.contiguous(memory_format=torch.channels_last)
            found = self.model.logits(given) if place is None else image_model(self.model).logits_at(given, place)
            return found.float().cpu().numpy()

    def _probe_stride(self) -> int:
        """Measure the pixels per logit."""
        sample = np.zeros((1, self.in_channels, _PROBE, _PROBE), dtype=np.float32)
        return _PROBE // int(self.logits(sample).shape[2])


def find_device(name: str) -> torch.device:
    """Find the device that a name means; "auto" is the first GPU if there is one, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device is named {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"the device {name!r} is not available here; use auto or cpu (see: intarsia doctor)")
    return device


def accelerate(
    model: SegmentationModel, precision: Precision = "auto", device: torch.device | None = None
) -> SegmentationModel:
    """A copy of a model for prediction; the model itself is left as it is.

    Batch-norms are folded into the convolutions before them, and on the CPU ReLU and ReLU6 are computed inside them.
    Which layers belong together is seen from one run of the network, and the result is compared with the
    original: a network that does not survive it (within 1e-3 of its largest logit) is used unfolded.

    Args:
        model: in evaluation mode, float32.
        precision: arithmetic of the copy; "auto" takes bfloat16 where the processor has it and it is clearly faster.
            Models of `full_precision` keep float32.
        device: where the copy computes; None is the CPU.

    Returns:
        A model in channels-last memory whose `logits` takes inputs of its parameters' type; one of points as it is.
    """
    # What is around the image model of a video model is small, and keeps float32.
    return model.with_base(lambda image: _accelerated(image_model(image), precision, device)).to(
        device or torch.device("cpu")
    )


def _accelerated(model: ImageModel, precision: Precision, device: torch.device | None) -> ImageModel:
    if model.full_precision:
        precision = "fp32"
    if device is not None and device.type != "cpu":
        half = precision != "fp32" and has_bf16(device.type)
        moved = _folded(model, fuse=False).to(device, torch.bfloat16 if half else torch.float32)
        return moved.to(memory_format=torch.channels_last)
    folded = _folded(model, fuse=True).to(memory_format=torch.channels_last)
    if precision == "fp32" or (precision == "auto" and not has_bf16()):
        return folded
    # oneDNN's fused convolutions refuse what the processor cannot do; torch's own work anywhere, slowly.
    alike = folded if has_bf16() else _folded(model, fuse=False).to(memory_format=torch.channels_last)
    rounded = copy.deepcopy(alike).to(torch.bfloat16)
    return rounded if precision == "bf16" or _is_faster_here(rounded, folded) else folded


@cache
def has_bf16(device: str = "cpu") -> bool:
    """Tell whether a device ("cpu" or "cuda") computes in bfloat16 itself, rather than by way of float32."""
    if device != "cpu":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    # younger than the oldest torch that we support
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    able = any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    # Where ONEDNN_MAX_CPU_ISA keeps oneDNN from what the processor has, its convolutions refuse. Some builds have none.
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return able and (not there or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


class FusedConv2d(nn.Module):
    """A convolution that applies its activation while the result is still in the processor's cache (oneDNN post-ops).

    Args:
        conv: a plain convolution with zero padding.
        activation: the module that follows it, or None.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None) -> None:
        super().__init__()
        self.weight = conv.weight
        self.bias = conv.bias
        self._geometry = ([int(p) for p in conv.padding], list(conv.stride), list(conv.dilation), conv.groups)
        self._activation = _POST_OPS[type(activation)]

    def forward(self, x: Tensor) -> Tensor:
        convolve = torch.ops.mkldnn._convolution_pointwise
        out: Tensor = convolve(x, self.weight, self.bias, *self._geometry, *self._activation)
        return out


_TRACKED = (FusedConv2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU)


def _folded(model: ImageModel, *, fuse: bool) -> ImageModel:
    """A copy with folded batch-norms (and activations, with `fuse`), or a plain copy when that changes the logits."""
    channels = model.in_channels
    sample = torch.linspace(-2, 2, channels * 64 * 96).view(1, channels, 64, 96).sin_()
    sample = sample.contiguous(memory_format=torch.channels_last)
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    _fold_norms(folded, sample)
    if fuse and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise"):  # type: ignore[no-untyped-call]
        _fuse_activations(folded, sample)
    with torch.inference_mode():
        expected, actual = model.logits(sample), folded.logits(sample)
        if (expected - actual).abs().max() <= _TOLERANCE * expected.abs().max():
            return folded
    return copy.deepcopy(model).requires_grad_(False)


def _fold_norms(model: ImageModel, sample: Tensor) -> None:
    for (conv_name, conv), (norm_name, norm) in _neighbours(model, sample):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
            model.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
            # timm's batch-norm carries the activation
            model.set_submodule(norm_name, getattr(norm, "act", nn.Identity()))


def _fuse_activations(model: ImageModel, sample: Tensor) -> None:
    for (conv_name, conv), (activation_name, activation) in _neighbours(model, sample):
        if isinstance(conv, nn.Conv2d) and _is_plain(conv) and type(activation) in _POST_OPS:
            model.set_submodule(conv_name, FusedConv2d(conv, activation))
            model.set_submodule(activation_name, nn.Identity())
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Conv2d) and _is_plain(module):
            model.set_submodule(name, FusedConv2d(module, None))


_DECIDED: dict[int, bool] = {}


def _is_faster_here(rounded: ImageModel, folded: ImageModel) -> bool:
    """`_is_faster`, tried once a process for all networks of the same layers."""
    key = hash(tuple((name, tensor.shape) for name, tensor in folded.state_dict().items()))
    if key not in _DECIDED:
        _DECIDED[key] = _is_faster(rounded, folded)
    return _DECIDED[key]


def _is_faster(candidate: ImageModel, reference: ImageModel) -> bool:
    """Whether the candidate is clearly faster: the best of a few rounds of each, in turn."""
    best, others = math.inf, math.inf
    for number in range(1, _TRIAL_ROUNDS + 1):
        best, others = min(best, _seconds(candidate)), min(others, _seconds(reference))
        # The first round warms up; of those after it, one in which nobody could doubt is enough.
        if number > 1 and not _WORTHWHILE / _CLEAR < best / others < _WORTHWHILE * _CLEAR:
            break
    return best < _WORTHWHILE * others


def _seconds(model: ImageModel) -> float:
    """Processor time of one pass, which what else the machine does disturbs less than the clock's."""
    sample = torch.zeros(1, model.in_channels, *_TRIAL_SIZE, dtype=next(model.parameters()).dtype)
    sample = sample.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        start = time.process_time()
        model.logits(sample)
        return time.process_time() - start


def _is_plain(conv: nn.Conv2d) -> bool:
    return type(conv) is nn.Conv2d and isinstance(conv.padding, tuple) and conv.padding_mode == "zeros"


def _neighbours(model: ImageModel, sample: Tensor) -> list[tuple[tuple[str, nn.Module], tuple[str, nn.Module]]]:
    """Pairs of named layers of which the second alone reads what the first returns; each runs once a pass."""
    calls = _run(model, sample)
    names = [name for name, _, _ in calls]
    readers: dict[str, list[str]] = {}
    for name, given, _ in calls:
        for maker, _, returned in calls:
            if given == returned:
                readers.setdefault(maker, []).append(name)
    return [
        ((first, model.get_submodule(first)), (second[0], model.get_submodule(second[0])))
        for first, second in readers.items()
        if len(second) == 1 and names.count(first) == names.count(second[0]) == 1
    ]


_Value = tuple[int, int]  # a tensor's identity and version: what an operation in place makes of it is another value


def _run(model: ImageModel, sample: Tensor) -> list[tuple[str, _Value, _Value]]:
    """(name, input, output) of each convolution, norm and activation, in the order in which they ran."""
    calls: list[tuple[str, _Value, _Value]] = []
    given: dict[str, _Value] = {}
    alive: list[Tensor] = []  # as long as a tensor lives, its identity is its own
    hooks: list[RemovableHandle] = []
    for name, module in model.named_modules():
        if isinstance(module, _TRACKED):

            def before(_: nn.Module, inputs: tuple[Any, ...], name: str = name) -> None:
                alive.append(inputs[0])
                given[name] = (id(inputs[0]), inputs[0]._version)

            def after(_: nn.Module, inputs: tuple[Any, ...], output: Any, name: str = name) -> None:
                alive.append(output)
                calls.append((name, given[name], (id(output), output._version)))

            hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        with torch.no_grad():  # inference mode keeps no versions
            model.logits(sample)
    finally:
        for hook in hooks:
            hook.remove()
    return calls
