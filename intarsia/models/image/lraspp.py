"""Lite R-ASPP, the mobile head of MobileNetV3."""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import conv_norm_act, resize
from intarsia.models.registry import register


class LRASPP(ImageModel):
    """The deepest map, gated by its own average, and scores of a shallow map; see `lraspp`."""

    encoder: Encoder

    def __init__(self, encoder: Encoder, *, classes: int, channels: int, low_stride: int) -> None:
        super().__init__()
        deep = encoder.channels[encoder.deepest]
        self.encoder = encoder
        self.low_stride = low_stride
        self.project = conv_norm_act(deep, channels, 1)
        self.gate = nn.Conv2d(deep, channels, 1, bias=False)
        self.low_head = nn.Conv2d(require_stage(encoder, low_stride), classes, 1)
        self.head = nn.Conv2d(channels, classes, 1)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        deep = maps[self.encoder.deepest]
        gated: Tensor = self.project(deep) * self.gate(deep.mean(dim=(2, 3), keepdim=True)).sigmoid()
        return gated

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        low = maps[self.low_stride]
        out: Tensor = self.low_head(low) + self.head(resize(context, low.shape[2:]))
        return out


@register(paper="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244")
def lraspp(
    *,
    classes: int,
    encoder: str = "torchvision_mobilenet_v3_large",
    in_channels: int = 3,
    output_stride: int = 16,
    channels: int = 128,
    low_stride: int = 8,
) -> ImageModel:
    """LR-ASPP: MobileNetV3 with a squeeze-and-excitation head and one skip, for phones and small machines.

    The head of section 6.4 in torchvision's form, whose gate averages the whole map instead of windows of 49x49.

    Args:
        classes: number of output channels.
        encoder: ``torchvision_mobilenet_v3_large`` or a timm backbone name.
        in_channels: channels of the input.
        output_stride: 32 or 16 (8 for timm backbones that support it).
        channels: width of the head.
        low_stride: stage of the map that is joined.
    """
    return LRASPP(
        build_encoder(encoder, in_channels=in_channels, output_stride=output_stride),
        classes=classes,
        channels=channels,
        low_stride=low_stride,
    )
