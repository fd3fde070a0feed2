"""DeepLab v2: a pyramid of dilated classifiers, and three scales of the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.encoders.vgg import VGG16, he_normal
from intarsia.models.layers import check_rates, resize, score_conv
from intarsia.models.registry import register

_OUTPUT_STRIDE = 8
_FC_WIDTH = 1024


class DeepLabV2(ImageModel):
    """Scores of several dilated branches, summed, of several scales, of which the largest counts; see `deeplabv2`.

    Args:
        encoder: at output stride 8.
        branch: makes the classifier of one rate.
        rates: one for each branch.
        scales: factors on the picture's size.
    """

    align_corners = True

    def __init__(
        self, encoder: Encoder, branch: Callable[[int], nn.Module], *, rates: Sequence[int], scales: Sequence[float]
    ) -> None:
        super().__init__()
        check_rates(rates)
        if not scales or min(scales) <= 0:
            raise ModelError(f"scales are positive factors, at least one, not {list(scales)}")
        self.encoder = encoder
        self.scales = tuple(scales)
        self.head = nn.ModuleList(branch(rate) for rate in rates)

    def _scores(self, x: Tensor) -> list[Tensor]:
        """Scores of each scale at its own resolution."""
        found = []
        for scale in self.scales:
            # corners stay aligned: pixels of the smaller picture lie exactly 1 / scale apart
            size = [round((side - 1) * scale) + 1 for side in x.shape[2:]]
            deep = self.encoder(resize(x, size, align_corners=True))[self.encoder.deepest]
            found.append(reduce(torch.add, [branch(deep) for branch in self.head]))
        return found

    @staticmethod
    def _fused(scores: list[Tensor], x: Tensor) -> Tensor:
        """The largest score of any scale, on the grid of the picture at its own size."""
        cells = [-(-side // _OUTPUT_STRIDE) for side in x.shape[2:]]
        return reduce(torch.maximum, [resize(score, cells, align_corners=True) for score in scores])

    def logits(self, x: Tensor) -> Tensor:
        return self._fused(self._scores(x), x)

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        scores = self._scores(x)
        own = scores if len(scores) > 1 else []
        return tuple(Supervised(logits, 1.0) for logits in (self._fused(scores, x), *own))


@register(paper="Chen et al. 2016, DeepLab: Atrous Convolution, and Fully Connected CRFs, arXiv:1606.00915")
def deeplabv2(
    *,
    classes: int,
    encoder: str = "resnet101",
    in_channels: int = 3,
    rates: Sequence[int] = (6, 12, 18, 24),
    scales: Sequence[float] = (1.0, 0.75, 0.5),
    dropout: float = 0.5,
    dilate_first_block: bool = True,
) -> ImageModel:
    """DeepLab v2: atrous spatial pyramid pooling by summed scores, and the maximum over three scales of the picture.

    Output stride 8. Training compares the fused scores and those of each scale with labels shrunk to them. Predictions
    are meant to be refined by a dense CRF. Sizes of 8 k + 1, such as 321, align the logits with pixels.

    A ResNet of bottlenecks gets the form of the paper's: it strides in a block's first, 1x1 convolution. ``vgg16`` is
    the paper's VGG16 (ASPP-L, or ASPP-S with rates 2, 4, 8, 12), whose branches have fc6, fc7 and fc8 each; those of
    other encoders are one 3x3 convolution with bias and without batch-norm.

    Args:
        classes: number of output channels.
        encoder: timm backbone name, or ``vgg16``.
        in_channels: channels of the input.
        rates: dilations of the branches.
        scales: factors on the picture's size; (1.0,) is a single pass.
        dropout: rate after fc6 and after fc7 of VGG16's branches.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as the paper does;
            False suits pretrained weights of other encoders better.
    """
    if encoder == VGG16.name:
        features: Encoder = VGG16(in_channels=in_channels, output_stride=_OUTPUT_STRIDE)
    else:
        features = build_encoder(
            encoder, in_channels=in_channels, output_stride=_OUTPUT_STRIDE, dilate_first_block=dilate_first_block
        )
        _stride_in_first_conv(features)
    inputs = features.channels[features.deepest]

    def branch(rate: int) -> nn.Module:
        if encoder == VGG16.name:
            return _vgg_branch(inputs, classes, rate, dropout)
        return score_conv(inputs, classes, 3, dilation=rate)

    return DeepLabV2(features, branch, rates=rates, scales=scales)


def _stride_in_first_conv(encoder: Encoder) -> None:
    """Bottlenecks as in the first ResNets: the stride is in the 1x1 convolution, not in the 3x3 one. In place."""
    from timm.models.resnet import Bottleneck

    for block in encoder.modules():
        if isinstance(block, Bottleneck) and block.conv2.stride != (1, 1):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)


def _vgg_branch(inputs: int, classes: int, rate: int, dropout: float) -> nn.Sequential:
    fc6 = nn.Conv2d(inputs, _FC_WIDTH, 3, padding=rate, dilation=rate)
    fc7 = nn.Conv2d(_FC_WIDTH, _FC_WIDTH, 1)
    he_normal(fc6)
    he_normal(fc7)
    return nn.Sequential(
        fc6, nn.ReLU(inplace=True), nn.Dropout(dropout),
        fc7, nn.ReLU(inplace=True), nn.Dropout(dropout),
        score_conv(_FC_WIDTH, classes),
    )  # fmt: skip
