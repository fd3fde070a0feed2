"""DeepLabv3 and DeepLabv3+: atrous pyramids over dilated encoders, without and with a decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import ASPP, FCNHead, check_rates, conv_norm_act, resize, score_conv, separable_conv
from intarsia.models.registry import register

_RATES_STRIDE = 16


def rates_at(output_stride: int, rates: Sequence[int]) -> list[int]:
    """Rates for output stride 16 as they have to be at another: doubled at 8 (DeepLabv3, section 3.3), halved at 32.

    Raises:
        ModelError: no rate, or one below 1.
    """
    check_rates(rates)
    return [max(1, rate * _RATES_STRIDE // output_stride) for rate in rates]


class DeepLabV3(ImageModel):
    """Dilated encoder, ASPP and classifier; see `deeplabv3`."""

    encoder: Encoder

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        rates: Sequence[int],
        channels: int,
        post_conv: bool,
        auxiliary: int,
        dropout: float,
        align_corners: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.align_corners = align_corners
        rates = rates_at(encoder.output_stride, rates)
        self.aspp = ASPP(encoder.channels[encoder.deepest], channels, rates, dropout=dropout)
        self.post_conv: nn.Module = conv_norm_act(channels, channels) if post_conv else nn.Identity()
        self.head = score_conv(channels, classes)
        self.auxiliary = auxiliary
        if auxiliary:
            self.auxiliary_head = FCNHead(require_stage(encoder, auxiliary), classes)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.post_conv(self.aspp(maps[self.encoder.deepest]))
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.head(context)
        return out

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        if not self.auxiliary:
            return (Supervised(self.forward(x), 1.0),)
        maps = self.encoder(x)
        auxiliary = self.auxiliary_head(maps[self.auxiliary])
        return self.at_input_size(x, [(self.head(self.context(maps)), 1.0), (auxiliary, 0.5)])


@register(paper="Chen et al. 2017, Rethinking Atrous Convolution for Semantic Image Segmentation, arXiv:1706.05587")
def deeplabv3(
    *,
    classes: int,
    encoder: str = "resnet101",
    in_channels: int = 3,
    output_stride: int = 16,
    rates: Sequence[int] = (6, 12, 18),
    multi_grid: Sequence[int] = (),
    channels: int = 256,
    post_conv: bool = False,
    auxiliary: int = 0,
    dropout: float = 0.1,
    drop_path: float = 0.0,
    dilate_first_block: bool = False,
    align_corners: bool = False,
) -> ImageModel:
    """DeepLabv3: atrous spatial pyramid pooling with image-level features, over any dilated encoder.

    The weights do not depend on `output_stride`: the paper trains at 16 and predicts at 8.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: 32, 16 or 8.
        rates: dilations of the pyramid's 3x3 branches at output stride 16; they are doubled at 8 and halved at 32.
        multi_grid: unit rates of the blocks of the encoder's last stage, (1, 2, 4) in the paper (section 3.2.1), for
            encoders with that number of blocks; () leaves the stage as it is.
        channels: width of the pyramid.
        post_conv: a further 3x3 convolution after the pyramid, which torchvision and smp have and the paper has not.
        auxiliary: stage (4, 8, 16) that a second head reads in training, with half the weight, as in torchvision; 0 is
            none, as in the paper.
        dropout: rate after the pyramid.
        drop_path: stochastic depth of the encoder.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as smp does.
        align_corners: the convention of resizing the logits: True in the paper's code (for sizes 16 k + 1) and in smp,
            False in torchvision.
    """
    return DeepLabV3(
        build_encoder(
            encoder,
            in_channels=in_channels,
            output_stride=output_stride,
            drop_path=drop_path,
            dilate_first_block=dilate_first_block,
            multi_grid=multi_grid,
        ),
        classes=classes,
        rates=rates,
        channels=channels,
        post_conv=post_conv,
        auxiliary=auxiliary,
        dropout=dropout,
        align_corners=align_corners,
    )


class DeepLabV3Plus(ImageModel):
    """Dilated encoder, atrous pyramid, and a decoder that refines with a low-level map; see `deeplabv3plus`.

    Args:
        encoder: the dilated encoder.
        pyramid: from its deepest map to `channels`.
        conv: makes a 3x3 convolution of the decoder from its input and output channels.
        classes: number of output channels.
        channels: width of pyramid and decoder.
        low_channels: width that the low-level map is reduced to.
        low_stride: stage of the low-level map.
        decoder_convs: convolutions after the maps are joined.
        post_conv: one more convolution, between pyramid and decoder.
        align_corners: the resize convention.
    """

    encoder: Encoder

    def __init__(
        self,
        encoder: Encoder,
        pyramid: nn.Module,
        conv: Callable[[int, int], nn.Module],
        *,
        classes: int,
        channels: int,
        low_channels: int,
        low_stride: int,
        decoder_convs: int,
        post_conv: bool,
        align_corners: bool,
    ) -> None:
        super().__init__()
        if decoder_convs < 1:
            raise ModelError(f"decoder_convs is at least 1 (2 in the paper), not {decoder_convs}")
        self.encoder = encoder
        self.low_stride = low_stride
        self.align_corners = align_corners
        self.aspp = pyramid
        self.post_conv: nn.Module = conv(channels, channels) if post_conv else nn.Identity()
        self.low = conv_norm_act(require_stage(encoder, low_stride), low_channels, 1)
        self.decoder = nn.Sequential(
            conv(channels + low_channels, channels), *(conv(channels, channels) for _ in range(decoder_convs - 1))
        )
        self.head = score_conv(channels, classes)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.post_conv(self.aspp(maps[self.encoder.deepest]))
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        low = self.low(maps[self.low_stride])
        deep = resize(context, low.shape[2:], align_corners=self.align_corners)
        out: Tensor = self.head(self.decoder(torch.cat([deep, low], dim=1)))
        return out


@register(paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611")
def deeplabv3plus(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 16,
    rates: Sequence[int] = (6, 12, 18),
    multi_grid: Sequence[int] = (),
    channels: int = 256,
    low_channels: int = 48,
    low_stride: int = 4,
    separable: bool = True,
    depthwise_norm: bool = True,
    image_pooling: bool = True,
    decoder_convs: int = 2,
    post_conv: bool = False,
    dropout: float = 0.1,
    drop_path: float = 0.0,
    dilate_first_block: bool = False,
    align_corners: bool = False,
) -> ImageModel:
    """DeepLabv3+: atrous separable pyramid pooling and a light decoder, over any timm encoder.

    The weights do not depend on `output_stride`: the paper trains at 16 and predicts at 8. Its "modified aligned
    Xception" is timm's ``xception65`` (also ``xception41``, ``xception71``); there the low-level map is taken after a
    ReLU, while the published network takes the same map before it.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: 32, 16 or 8.
        rates: dilations of the pyramid's 3x3 branches at output stride 16; they are doubled at 8 and halved at 32.
        multi_grid: unit rates of the blocks of the encoder's last stage, for encoders with that number of blocks; ()
            leaves the stage as it is. The paper has (1, 2, 4) with ResNet-101 and none with Xception.
        channels: width of the pyramid and the decoder.
        low_channels: width that the low-level map is reduced to.
        low_stride: stage of the low-level map.
        separable: depthwise separable convolutions in pyramid and decoder (section 3.1).
        depthwise_norm: batch-norm and ReLU between depthwise and pointwise convolution, as in the published code; smp
            has none.
        image_pooling: with the pyramid's branch of image-level features, which the paper leaves out on Cityscapes
            (section 4.6).
        decoder_convs: 3x3 convolutions of the decoder; smp has one.
        post_conv: a further 3x3 convolution after the pyramid, which smp has and the paper has not.
        dropout: rate after the pyramid.
        drop_path: stochastic depth of the encoder.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as smp does.
        align_corners: the convention of every resize: True in the published code (for sizes 16 k + 1) and in smp.
    """
    features = build_encoder(
        encoder,
        in_channels=in_channels,
        output_stride=output_stride,
        drop_path=drop_path,
        dilate_first_block=dilate_first_block,
        multi_grid=multi_grid,
    )
    pyramid = ASPP(
        features.channels[features.deepest],
        channels,
        rates_at(features.output_stride, rates),
        separable=separable,
        depthwise_norm=depthwise_norm,
        image_pooling=image_pooling,
        dropout=dropout,
    )
    return DeepLabV3Plus(
        features,
        pyramid,
        partial(separable_conv, depthwise_norm=depthwise_norm) if separable else conv_norm_act,
        classes=classes,
        channels=channels,
        low_channels=low_channels,
        low_stride=low_stride,
        decoder_convs=decoder_convs,
        post_conv=post_conv,
        align_corners=align_corners,
    )
