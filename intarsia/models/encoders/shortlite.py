"""EfficientNet-lite0 for prediction on CPUs in real time: a dense stem, and no more blocks than stride 16 needs."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.encoders.backbones import TimmEncoder
from intarsia.models.encoders.contract import load_matching

_DEEPEST = 16
_STEM = 16  # channels at stride 2
_DENSE = 32  # hidden channels at stride 4
_BLOCKS = (2, 2, 2)  # of the stages at strides 8, 16 (80 channels) and 16 (112 channels); lite0 has 2, 3, 3


class ShortLite0(TimmEncoder):
    """EfficientNet-lite0 (Tan and Le 2019, arXiv:1905.11946) with another beginning and an early end.

    Its stages up to stride 4 hold 16 thousand of lite0's parameters, and cost nearly half of the time to stride 16 (17
    of 37 ms for 480x384 pixels by one thread of ONNX Runtime): expanded to 96 channels at stride 2, the maps are large.
    Here three dense 3x3 convolutions stand in their place: 16 channels at stride 2, then 32 and 24 at stride 4. What
    follows is lite0 up to stride 16 without the last block of both stages there, and takes lite0's weights.

    Args:
        options: see `TimmEncoder`; the encoder ends with stride 16.

    Raises:
        ModelError: stride 32, or another output stride, is asked for.
    """

    name = "efficientnet_lite0_short"

    def __init__(
        self, *, in_channels: int = 3, output_stride: int = 32, deepest: int = _DEEPEST, **options: Any
    ) -> None:
        if deepest != _DEEPEST or output_stride < _DEEPEST:
            raise ModelError(f"encoder {self.name!r} has maps at strides 2, 4, 8 and 16, and cannot be dilated")
        super().__init__("efficientnet_lite0", in_channels=in_channels, deepest=deepest, **options)
        self.name = ShortLite0.name
        from timm.layers.norm_act import BatchNormAct2d

        backbone: Any = self.backbone
        width = self.channels[4]
        stem = _conv(in_channels, _STEM, stride=2)
        down, dense = _conv(_STEM, _DENSE, stride=2), _conv(_DENSE, width)
        backbone.conv_stem, backbone.bn1 = stem, BatchNormAct2d(_STEM)
        backbone.blocks[0] = nn.Identity()
        # as lite0's stages, it ends without an activation
        backbone.blocks[1] = nn.Sequential(
            down, nn.BatchNorm2d(_DENSE), nn.ReLU(inplace=True), dense, nn.BatchNorm2d(width)
        )
        for stage, count in enumerate(_BLOCKS, start=2):
            del backbone.blocks[stage][count:]

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        """Take lite0's weights for what the two have in common; the stem is trained."""
        backbone: Any = self.backbone
        load_matching(
            backbone.blocks[2:], {key.removeprefix("blocks."): value for key, value in state.items()}, self.name
        )


def _conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    return conv
