"""KSAC: DeepLabv3+ with one kernel for all rates of its pyramid."""

from __future__ import annotations

from collections.abc import Sequence

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import build_encoder
from intarsia.models.image.deeplabv3 import DeepLabV3Plus, rates_at
from intarsia.models.layers import KSAC, conv_norm_act
from intarsia.models.registry import register


@register(paper="Huang et al. 2019, See More Than Once: Kernel-Sharing Atrous Convolution, arXiv:1908.09443")
def ksac(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 16,
    rates: Sequence[int] = (6, 12, 18),
    fuse: str = "sum",
    channels: int = 256,
    low_channels: int = 48,
    low_stride: int = 4,
    decoder_convs: int = 2,
    dropout: float = 0.1,
    drop_path: float = 0.0,
    dilate_first_block: bool = False,
    align_corners: bool = False,
) -> ImageModel:
    """KSAC: DeepLabv3+ whose pyramid applies one shared 3x3 kernel at every rate.

    With three rates this saves 62 % of the weights of the pyramid's branches, not of the computation. The kernel sees
    objects at every rate, so that the rates of a trained model can be changed, their number excepted.

    The module follows the published description: a shared kernel, a batch-norm for each rate, 1x1 and image-pooling
    branches. Its authors released no code of it, and implementations by others differ in how the rates' maps are
    joined, hence `fuse`.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: 32, 16 or 8; the weights do not depend on it.
        rates: dilations of the shared kernel at output stride 16; they are doubled at 8 and halved at 32.
        fuse: "sum" adds the maps of the rates, "concat" puts them side by side.
        channels: width of the pyramid and the decoder.
        low_channels: width that the low-level map is reduced to.
        low_stride: stage of the low-level map.
        decoder_convs: 3x3 convolutions of the decoder.
        dropout: rate after the pyramid.
        drop_path: stochastic depth of the encoder.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others.
        align_corners: the convention of every resize.
    """
    features = build_encoder(
        encoder,
        in_channels=in_channels,
        output_stride=output_stride,
        drop_path=drop_path,
        dilate_first_block=dilate_first_block,
    )
    rates = rates_at(features.output_stride, rates)
    return DeepLabV3Plus(
        features,
        KSAC(features.channels[features.deepest], channels, rates, fuse=fuse, dropout=dropout),
        conv_norm_act,
        classes=classes,
        channels=channels,
        low_channels=low_channels,
        low_stride=low_stride,
        decoder_convs=decoder_convs,
        post_conv=False,
        align_corners=align_corners,
    )
