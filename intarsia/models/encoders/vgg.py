"""VGG16 without its classifier, in the two forms that segmentation networks made of it."""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.encoders.contract import Encoder, load_matching, run_chain

# Configuration D: (3x3 convolutions, channels as a multiple of the first stage's) before each of the five pools.
_STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
_BASE = 64


class VGG16(Encoder):
    """The convolutions of VGG16 (Simonyan and Zisserman 2014, arXiv:1409.1556, configuration D).

    A stage's map is the output of its pool: 2 is pool1, then pool2, pool3 (8), pool4 (16) and pool5 (32).
    `features` has the layers, and so the keys, of torchvision's and timm's ``vgg16``. `output_stride` chooses the form:

    * 32, for FCN (Long et al. 2015, arXiv:1411.4038): pools 2x2 with stride 2, sizes rounded up as in Caffe. FCN pads
      the picture by 100 (`padding`); with a padding of 1 every map has ceil(size / stride) cells.
    * 8, for DeepLab v1 and v2 (Chen et al. 2015, arXiv:1412.7062; 2016, arXiv:1606.00915), as released: pools 3x3 with
      padding 1 and strides 2, 2, 2, 1, 1, and the convolutions of the last stage dilated by 2. Their sizes are rounded
      down, which gives ceil(size / stride) cells for any size. Caffe rounds up, which gives the same at the sizes
      8k + 1 that those networks were made for, and one cell more at others.

    Args:
        in_channels: channels of the input.
        output_stride: 32 or 8, see above.
        padding: of the first convolution.
        base: channels of the first stage; 64 in the paper. The others have 2, 4, 8 and 8 times as many.

    Raises:
        ModelError: another output stride.
    """

    name = "vgg16"
    pretrained = "vgg16"

    def __init__(self, *, in_channels: int = 3, output_stride: int = 32, padding: int = 1, base: int = _BASE) -> None:
        super().__init__()
        if output_stride not in (8, 32):
            raise ModelError(f"VGG16 has output stride 32 (FCN) or 8 (DeepLab), not {output_stride}")
        dilated = output_stride == 8
        self.output_stride = output_stride
        self.base = base
        self.channels = {}
        layers: list[nn.Module] = []
        width = in_channels
        for stage, (convs, factor) in enumerate(_STAGES, 1):
            rate = 2 if dilated and stage == len(_STAGES) else 1
            for _ in range(convs):
                margin = rate if layers else padding
                layers += [nn.Conv2d(width, base * factor, 3, padding=margin, dilation=rate), nn.ReLU(inplace=True)]
                width = base * factor
            if dilated:
                layers.append(nn.MaxPool2d(3, 2 if 2**stage <= output_stride else 1, padding=1))
            else:
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            self.channels[2**stage] = width
        self.features = nn.Sequential(*layers)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                he_normal(layer)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return run_chain(self.chain(), x)

    def chain(self) -> list[tuple[nn.Module, int]]:
        layers, stage = [], 1
        for layer in self.features:
            is_last = isinstance(layer, nn.MaxPool2d)
            stage *= 2 if is_last else 1
            layers.append((layer, stage if is_last else 0))
        return layers

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        if self.base != _BASE:
            raise ModelError(f"pretrained weights of VGG16 need base={_BASE}, not {self.base}")
        load_matching(self.features, {key.removeprefix("features."): value for key, value in state.items()}, self.name)


def he_normal(conv: nn.Conv2d) -> None:
    """He initialisation, biases 0: maps keep their scale through ReLU, so that VGG16 learns without batch-norm."""
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
