"""timm backbones behind the encoder contract, with the two conventions of dilation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.encoders.contract import Encoder, load_matching

_FULL_STRIDE = 32
_PROBE = 128


class TimmEncoder(Encoder):
    """Any timm backbone with ``features_only`` support.

    Args:
        name: timm model name, for instance ``efficientnet_lite0`` or ``resnet50``.
        in_channels: channels of the input.
        output_stride: input pixels per pixel of the deepest feature map.
        drop_path: stochastic depth rate of the last block (0 is off; needs a backbone that supports it).
        dilate_first_block: how stages that lose their stride are dilated. False (timm, torchvision's ResNet, Xception):
            the first block keeps the previous stage's rate, so that subsampling the map gives the undilated network's
            values. True (Caffe's DeepLab, smp): the whole stage has the new rate.
        multi_grid: unit rates of the deepest stage's blocks, times its base rate (DeepLabv3, section 3.2.1); () is off.

    Raises:
        UsageError: timm does not know the name; the message suggests the closest.
        ModelError: the backbone cannot give feature maps at this output stride or in this convention.
    """

    def __init__(
        self,
        name: str,
        *,
        in_channels: int = 3,
        output_stride: int = _FULL_STRIDE,
        drop_path: float = 0.0,
        dilate_first_block: bool = False,
        multi_grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            raise UsageError(f"timm has no backbone named {name!r}.{suggest(name, timm.list_models())}")
        options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        if output_stride != _FULL_STRIDE and not dilate_first_block:
            options["output_stride"] = output_stride  # many backbones without dilation lack the argument
        try:
            backbone: Any = timm.create_model(
                name, pretrained=False, features_only=True, in_chans=in_channels, **options
            )
        except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"backbone {name!r} cannot be built with output stride {output_stride}: {error}"
            ) from error
        self.name = self.pretrained = name
        self.backbone: nn.Module = backbone
        config = backbone.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self._channels_last = str(getattr(backbone, "output_fmt", "")).endswith("NHWC")
        strides: list[int] = list(backbone.feature_info.reduction())
        if dilate_first_block and output_stride != _FULL_STRIDE:
            dilate_whole_stages(backbone, in_channels, output_stride)
            strides = [min(stride, output_stride) for stride in strides]
        self.output_stride = strides[-1]
        if self.output_stride != output_stride:
            raise ModelError(
                f"backbone {name!r} gives output stride {self.output_stride}, not {output_stride}; "
                f"ask for output_stride={self.output_stride}"
            )
        self._stages = _stages(strides)
        self.channels = dict(zip(self._stages, backbone.feature_info.channels(), strict=True))
        if multi_grid:
            _apply_multi_grid(self, backbone.feature_info.module_name()[-1], multi_grid)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        maps: list[Tensor] = self.backbone(x)
        if self._channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return dict(zip(self._stages, maps, strict=True))

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        # features_only flattens some containers: "stages_0.x" is "stages.0.x" of the whole model
        renamed = {
            key: state[full]
            for key in self.backbone.state_dict()
            if (full := key if key in state else re.sub(r"^(\w+?)_(\d+)\.", r"\1.\2.", key)) in state
        }
        load_matching(self.backbone, renamed, self.name)


def _stages(strides: list[int]) -> list[int]:
    """Strides as they would be undilated: repeated ones go on doubling."""
    stages: list[int] = []
    for stride in strides:
        stages.append(stride if not stages or stride > stages[-1] else 2 * stages[-1])
    return stages


def dilate_whole_stages(backbone: nn.Module, in_channels: int, output_stride: int) -> None:
    """Trade strides beyond `output_stride` for dilation of every convolution of the stage, in place.

    Raises:
        ModelError: something else than a convolution with an odd kernel has such a stride.
    """
    reached: dict[nn.Conv2d, int] = {}

    def note(conv: nn.Module, _: Any, output: Tensor) -> None:
        if isinstance(conv, nn.Conv2d):
            reached[conv] = _PROBE // output.shape[2]

    convs = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    hooks = [conv.register_forward_hook(note) for conv in convs]
    training = backbone.training
    with torch.no_grad():
        backbone.eval()(torch.zeros(1, in_channels, _PROBE, _PROBE))
        for hook in hooks:
            hook.remove()
        for conv, stride in reached.items():
            if stride > output_stride and conv.kernel_size[0] % 2 and isinstance(conv.padding, tuple):
                conv.stride = (1, 1)
                set_dilation(conv, stride // output_stride)
        deepest = backbone(torch.zeros(1, in_channels, _PROBE, _PROBE))[-1]
    backbone.train(training)
    if deepest.shape[2] != _PROBE // output_stride:
        raise ModelError(
            f"this backbone cannot be dilated whole stage by stage to output stride {output_stride}: "
            "its strides are not all in convolutions; use dilate_first_block=False"
        )


def set_dilation(conv: nn.Conv2d, rate: int) -> None:
    """Change the dilation of a size-keeping convolution, in place."""
    conv.dilation = (rate, rate)
    conv.padding = tuple(rate * (kernel // 2) for kernel in conv.kernel_size)


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
