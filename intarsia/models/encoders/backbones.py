"""timm backbones behind the encoder contract, with the two conventions of dilation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.encoders.contract import Encoder, load_matching
from intarsia.models.shapes import shapes_only

_FULL_STRIDE = 32
_PROBE = 128
_ODD_PROBE = (1, 33)
_MULTIPLES = (32, 64, 128, 192, 224, 256, 384)
_ANY_SIZE: tuple[dict[str, Any], ...] = ({}, {"strict_img_size": False}, {"dynamic_img_size": True})
"""How timm's families are asked for pictures of any size: convolutions need not be, Swin and ViTs have a word each."""
_TIMM_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


_WIDER: dict[str, tuple[str, dict[str, Any]]] = {"resnext101_32x48d": ("resnext101_32x32d", {"base_width": 48})}
"""Backbones that timm has no name for: the one of the same structure, and what differs."""

_SIZE_KEEPING = (
    nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.Dropout,
    nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip


class TimmEncoder(Encoder):
    """Any timm backbone with ``features_only`` support that can take pictures of any size.

    Those whose windows or strides need a multiple of some number of pixels get pictures padded with zeros at the right
    and at the bottom, and their maps are cut to what they would have without.

    With a smaller output stride, its weights compute what they computed undilated (``dilate_first_block=False``), at
    more places: the map, subsampled, is the undilated network's. Some backbones only come close to that: those that
    average over the whole map or attend to it (squeeze-and-excitation, hybrid transformers), those with TensorFlow's
    padding (``tf_...``) and, at stride 8, those with average pools in their shortcuts (``resnet50d``, ``nfnet_l0``).

    Args:
        name: timm model name, for instance ``efficientnet_lite0`` or ``resnet50``.
        in_channels: channels of the input.
        output_stride: input pixels per pixel of the last stage's map.
        deepest: the stage that the encoder ends with; what lies behind it is not built.
        drop_path: stochastic depth rate of the last block (0 is off; needs a backbone that supports it).
        dilate_first_block: how stages that lose their stride are dilated. False (timm, torchvision's ResNet, Xception):
            the first block keeps the previous stage's rate, so that subsampling the map gives the undilated network's
            values. True (Caffe's DeepLab, smp): the whole stage has the new rate.
        multi_grid: unit rates of the deepest stage's blocks, times its base rate (DeepLabv3, section 3.2.1); () is off.

    Raises:
        UsageError: timm does not know the name; the message suggests the closest.
        ModelError: the backbone cannot give feature maps at this output stride, or not with these weights; or it takes
            pictures of one size only.
    """

    def __init__(
        self,
        name: str,
        *,
        in_channels: int = 3,
        output_stride: int = _FULL_STRIDE,
        deepest: int = _FULL_STRIDE,
        drop_path: float = 0.0,
        dilate_first_block: bool = False,
        multi_grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name) and name not in _WIDER:
            raise UsageError(f"timm has no backbone named {name!r}.{suggest(name, timm.list_models())}")
        known, self._multiple = _any_size(name)
        options: dict[str, Any] = known | ({"drop_path_rate": drop_path} if drop_path else {})
        count = 0
        if deepest != _FULL_STRIDE:
            count = _stages_up_to(name, deepest)
            options["out_indices"] = _undilated(name).feature_info.out_indices[:count]
            output_stride = min(output_stride, deepest)
        if output_stride < deepest:
            options["output_stride"] = output_stride  # many backbones without dilation lack the argument
        try:
            backbone: Any = _create(name, in_chans=in_channels, **options)
        except _TIMM_ERRORS as error:
            raise ModelError(_refusal(name, options, output_stride, error)) from error
        self.name, self.pretrained = name, "" if name in _WIDER else name
        self.backbone: nn.Module = backbone
        config = backbone.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self._channels_last = _is_channels_last(backbone)
        self._strides: list[int] = list(backbone.feature_info.reduction())
        self.output_stride = self._strides[-1]
        if len(self._strides) > 1 and len(set(self._strides)) == 1:
            raise ModelError(
                f"backbone {name!r} gives maps of one stride only ({self.output_stride}), and decoders join several; "
                "use one with maps at strides 4 to 32, for instance 'resnet50'"
            )
        if self.output_stride != output_stride:
            raise ModelError(
                f"backbone {name!r} gives output stride {self.output_stride}, not {output_stride}; "
                f"ask for output_stride={self.output_stride}"
            )
        self._stages = _stages(self._strides)
        self.channels = dict(zip(self._stages, backbone.feature_info.channels(), strict=True))
        self._rounds_up = self._multiple == 1
        if _has_all_blocks(backbone):
            del backbone.blocks[max(backbone._stage_out_idx) :]
        if output_stride < deepest:
            _dilate(self, dilate_first_block, count)
        if multi_grid:
            _apply_multi_grid(self, backbone.feature_info.module_name()[-1], multi_grid)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        height, width = x.shape[2:]
        if not self._rounds_up:
            x = F.pad(x, (0, -width % self._multiple, 0, -height % self._multiple))
        maps = self._maps(x)
        if self._channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        if not self._rounds_up:
            maps = [
                features[:, :, : -(-height // stride), : -(-width // stride)]
                for features, stride in zip(maps, self._strides, strict=True)
            ]
        return dict(zip(self._stages, maps, strict=True))

    def _maps(self, x: Tensor) -> list[Tensor]:
        """The backbone's own maps, from shallow to deep."""
        maps: list[Tensor] = self.backbone(x)
        return maps

    def chain(self) -> list[tuple[nn.Module, int]]:
        from timm.models import FeatureDictNet

        backbone: Any = self.backbone
        if self._rounds_up and not self._channels_last:
            if isinstance(backbone, FeatureDictNet):
                taps = dict(zip(backbone.return_layers, self._stages, strict=True))
                return [(layer, taps.get(name, 0)) for name, layer in backbone.items()]
            if _has_all_blocks(backbone) and backbone.feature_hooks is None:
                stem = [module for name, module in backbone.named_children() if name != "blocks"]
                layers = [nn.Sequential(*stem), *backbone.blocks]
                taps = dict(zip(sorted(backbone._stage_out_idx), self._stages, strict=True))
                return [(layer, taps.get(index, 0)) for index, layer in enumerate(layers)]
        return super().chain()

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        # features_only flattens some containers: "stages_0.x" is "stages.0.x" of the whole model
        renamed = {
            key: state[full]
            for key in self.backbone.state_dict()
            if (full := key if key in state else re.sub(r"^(\w+?)_(\d+)\.", r"\1.\2.", key)) in state
        }
        load_matching(self.backbone, renamed, self.name)


def _has_all_blocks(backbone: Any) -> bool:
    """Whether timm builds all blocks of such a backbone, however few maps are asked for."""
    from timm.models.efficientnet import EfficientNetFeatures
    from timm.models.mobilenetv3 import MobileNetV3Features

    return isinstance(backbone, EfficientNetFeatures | MobileNetV3Features)


def _refusal(name: str, options: dict[str, Any], output_stride: int, error: Exception) -> str:
    """Why timm did not build a backbone, and what to do."""
    if "output_stride" not in options:
        return f"backbone {name!r} cannot be built{f': {error}' if str(error) else ''}"
    return (
        f"backbone {name!r} cannot be built with output stride {output_stride}, because it cannot be dilated; use "
        f"output_stride={_FULL_STRIDE}, or a backbone that can be, for instance 'resnet50'"
    )


def _stages(strides: list[int]) -> list[int]:
    """Strides as they would be undilated: repeated ones go on doubling."""
    stages: list[int] = []
    for stride in strides:
        stages.append(stride if not stages or stride > stages[-1] else 2 * stages[-1])
    return stages


def _is_channels_last(backbone: Any) -> bool:
    return str(getattr(backbone, "output_fmt", "")).endswith("NHWC")


def _stages_up_to(name: str, deepest: int) -> int:
    """How many maps a backbone has up to a stage.

    Raises:
        ModelError: it has no such stage.
    """
    stages = _stages(_undilated(name).feature_info.reduction())
    if deepest not in stages:
        raise ModelError(f"encoder {name!r} has no features at stride {deepest} (it has {', '.join(map(str, stages))})")
    return stages.index(deepest) + 1


@lru_cache(maxsize=16)
def _undilated(name: str, count: int = 0) -> Any:
    """The backbone without dilation, on the meta device: what it is can be seen without memory and in little time.

    With `count`, only as much of it as its first maps need.
    """
    first = {"out_indices": _undilated(name).feature_info.out_indices[:count]} if count else {}
    return _on_meta(name, _any_size(name)[0] | first)


def _on_meta(name: str, options: dict[str, Any]) -> Any:
    with shapes_only():
        backbone = _create(name, **options).eval()
    # Sizes alone count, and on the meta device arithmetic takes longer than elsewhere.
    for module in backbone.modules():
        if isinstance(module, _SIZE_KEEPING):
            module.forward = _as_it_is  # type: ignore[method-assign, assignment]
    return backbone


def _create(name: str, **options: Any) -> Any:
    """A backbone with random weights that gives feature maps."""
    import timm

    known, wider = _WIDER.get(name, (name, {}))
    return timm.create_model(known, pretrained=False, features_only=True, **wider, **options)


def _as_it_is(x: Tensor) -> Tensor:
    return x


@lru_cache(maxsize=64)
def _any_size(name: str) -> tuple[dict[str, Any], int]:
    """How timm makes a backbone that takes any size, and the number of pixels that the sides must be a multiple of.

    Raises:
        ModelError: it gives no feature maps, or takes pictures of one size only.
    """
    config: dict[str, Any] = {}
    for options in _ANY_SIZE:
        try:
            backbone = _on_meta(name, options)
        except _TIMM_ERRORS as error:
            if not options:
                raise ModelError(f"backbone {name!r} gives no feature maps: {error}") from error
            continue  # a family that does not know this word
        config = backbone.pretrained_cfg
        if _rounds_up(backbone):
            return options, 1
        multiple = next((number for number in _MULTIPLES if _takes(backbone, number)), None)
        if multiple is not None:
            return options, multiple
    height, width = config["input_size"][1:]
    raise ModelError(
        f"backbone {name!r} takes pictures of {width}x{height} pixels only, and a segmentation model has to take any "
        "size; use another, for instance 'convnext_tiny', 'swin_tiny_patch4_window7_224' or 'mit_b0'"
    )


def _takes(backbone: Any, multiple: int) -> bool:
    """Whether sides may be multiples of so many pixels."""
    try:
        with torch.no_grad():
            for height, width in ((1, 2), (3, 2)):
                backbone(torch.empty(1, 3, height * multiple, width * multiple, device="meta"))
    except _TIMM_ERRORS as error:
        return "meta tensors" in str(error)  # it looks at values, which only a real run has
    return True


def _rounds_up(backbone: Any) -> bool:
    """Whether a backbone's maps have ceil(size / stride) cells for every size, as padding convolutions have.

    Others cut off what does not fill a cell, or fail.
    """
    try:
        with torch.no_grad():
            maps = backbone(torch.empty(1, 3, *_ODD_PROBE, device="meta"))
    except _TIMM_ERRORS:
        return False
    first = 1 if _is_channels_last(backbone) else 2
    return all(
        features.shape[first + axis] == -(-side // stride)
        for features, stride in zip(maps, backbone.feature_info.reduction(), strict=True)
        for axis, side in enumerate(_ODD_PROBE)
    )


@lru_cache(maxsize=16)
def _strides(name: str, count: int) -> dict[str, tuple[int, int]]:
    """Pixels per cell before and after each convolution without dilation; {} if the backbone takes one size only."""
    backbone = _undilated(name, count)
    strides: dict[str, tuple[int, int]] = {}
    hooks = []
    for conv_name, conv in backbone.named_modules():
        if isinstance(conv, nn.Conv2d):

            def note(_: nn.Module, inputs: tuple[Tensor], output: Tensor, conv_name: str = conv_name) -> None:
                strides[conv_name] = (_PROBE // inputs[0].shape[2], _PROBE // output.shape[2])

            hooks.append(conv.register_forward_hook(note))
    try:
        with torch.no_grad():
            backbone(torch.empty(1, 3, _PROBE, _PROBE, device="meta"))
    except _TIMM_ERRORS:
        strides = {}
    for hook in hooks:
        hook.remove()
    return strides


def _dilate(encoder: TimmEncoder, whole_stages: bool, count: int) -> None:
    """Check a backbone that timm made for an output stride, and complete its dilation, in place.

    timm removes the strides. In some backbones it does not dilate everything that has to be, and in others it leaves
    out a shortcut's tensors, because a block without stride seems not to need them.

    Raises:
        ModelError: the backbone's weights belong to another network at this output stride.
    """
    backbone, output_stride, strides = encoder.backbone, encoder.output_stride, _strides(encoder.name, count)
    changed = set(_undilated(encoder.name, count).state_dict()) ^ set(backbone.state_dict())
    if changed or not strides:
        reason = f"has other tensors there ({min(changed)})" if changed else "takes pictures of one size only"
        raise ModelError(
            f"backbone {encoder.name!r} cannot keep its weights at output stride {output_stride}: it {reason}; "
            "use a larger output_stride, or a backbone that dilates exactly, for instance 'resnet50'"
        )
    for name, (before, after) in strides.items():
        conv = backbone.get_submodule(name)
        if not isinstance(conv, nn.Conv2d) or max(conv.kernel_size) == 1:
            continue
        lost_stride = before < after and conv.stride == (1, 1)
        rate = max(1, (after if whole_stages and lost_stride else before) // output_stride)
        if conv.dilation != (rate, rate) or (lost_stride and conv.kernel_size[0] % 2 == 0):
            set_dilation(conv, rate)


class AnchoredConv2d(nn.Conv2d):
    """A convolution with an even kernel that keeps the map's size by zeros after it: cell i sees cells i and on."""

    def forward(self, input: Tensor) -> Tensor:
        down, right = (rate * (side - 1) for rate, side in zip(self.dilation, self.kernel_size, strict=True))
        return F.conv2d(
            F.pad(input, (0, right, 0, down)), self.weight, self.bias, dilation=self.dilation, groups=self.groups
        )


def set_dilation(conv: nn.Conv2d, rate: int) -> None:
    """Change the dilation of a size-keeping convolution, in place."""
    conv.dilation = (rate, rate)
    conv.padding = tuple(rate * (kernel // 2) for kernel in conv.kernel_size)
    if conv.kernel_size[0] % 2 == 0:
        conv.__class__ = AnchoredConv2d


def _apply_multi_grid(encoder: TimmEncoder, stage: str, grid: Sequence[int]) -> None:
    try:
        blocks = list(encoder.backbone.get_submodule(stage).children())
    except AttributeError:
        blocks = []
    if len(blocks) != len(grid):
        raise ModelError(
            f"multi_grid has {len(grid)} rates, but the deepest stage of {encoder.name!r} has {len(blocks)} blocks"
        )
    base = _FULL_STRIDE // encoder.output_stride
    for block, unit in zip(blocks, grid, strict=True):
        for module in block.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1:
                set_dilation(module, base * unit)
