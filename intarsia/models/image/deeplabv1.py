"""DeepLab, the first: VGG16 with holes instead of strides, and a large field of view."""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders.vgg import VGG16, he_normal
from intarsia.models.layers import score_conv
from intarsia.models.registry import register


class DeepLabV1(ImageModel):
    """VGG16 at output stride 8 with fc6 as a dilated convolution; see `deeplabv1`."""

    align_corners = True

    def __init__(self, encoder: VGG16, *, classes: int, kernel: int, rate: int, width: int, dropout: float) -> None:
        super().__init__()
        reach = rate * (kernel - 1)
        if kernel < 1 or rate < 1 or reach % 2:
            raise ModelError(f"a kernel of {kernel} at rate {rate} has no centre; use an odd kernel or an even rate")
        self.encoder = encoder
        fc6 = nn.Conv2d(encoder.channels[encoder.deepest], width, kernel, padding=reach // 2, dilation=rate)
        fc7 = nn.Conv2d(width, width, 1)
        he_normal(fc6)
        he_normal(fc7)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)
        self.fc6 = nn.Sequential(fc6, nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.fc7 = nn.Sequential(fc7, nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.head = score_conv(width, classes)

    def logits(self, x: Tensor) -> Tensor:
        deep = self.pool(self.encoder(x)[self.encoder.deepest])
        out: Tensor = self.head(self.fc7(self.fc6(deep)))
        return out

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        return (Supervised(self.logits(x), 1.0),)


@register(paper="Chen et al. 2015, Semantic Image Segmentation with Deep Convolutional Nets, arXiv:1412.7062")
def deeplabv1(
    *,
    classes: int,
    in_channels: int = 3,
    kernel: int = 3,
    rate: int = 12,
    width: int = 1024,
    base: int = 64,
    dropout: float = 0.5,
) -> ImageModel:
    """DeepLab v1 (LargeFOV): VGG16 with holes at stride 8; trained on labels shrunk to its logits.

    The default is the released DeepLab-LargeFOV, with 3x3 pools and an average pool before fc6; an output sees 435
    pixels. `kernel`, `rate` and `width` give the networks of the paper's table 2: (7, 4, 4096), (4, 4, 4096),
    (4, 8, 4096) and LargeFOV (3, 12, 1024), with 134.3, 65.1, 65.1 and 20.5 million parameters for 21 classes.

    Predictions are meant to be refined by a dense CRF. Sizes of 8 k + 1, such as 321, align the logits with pixels.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        kernel: side of fc6.
        rate: dilation of fc6; even if `kernel` is.
        width: channels of fc6 and fc7.
        base: channels of VGG16's first stage; pretrained weights need 64.
        dropout: rate after fc6 and after fc7.
    """
    return DeepLabV1(
        VGG16(in_channels=in_channels, output_stride=8, base=base),
        classes=classes,
        kernel=kernel,
        rate=rate,
        width=width,
        dropout=dropout,
    )
