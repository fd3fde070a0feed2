"""LinkNet: thin decoder steps, to which the encoder's maps are added."""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder
from intarsia.models.image.unet import decoder_strides
from intarsia.models.layers import conv_norm_act, resize
from intarsia.models.registry import register

_NARROWER = 4  # a step works at a quarter of its input's channels


class LinkNet(ImageModel):
    """Steps of 1x1, transposed and 1x1 convolution, each added to the encoder's map at its stride; see `linknet`."""

    def __init__(self, encoder: Encoder, *, classes: int, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self._strides = decoder_strides(encoder, _steps_to_the_input(encoder))
        self.steps = nn.ModuleList()
        width, above = encoder.channels[encoder.deepest], encoder.output_stride
        for stride in self._strides:
            # Where the encoder has no map, the width stays.
            outputs = channels if stride == 1 else encoder.channels.get(stride, width)
            self.steps.append(_step(width, outputs, above // stride))
            width, above = outputs, stride
        self.head = nn.Conv2d(channels, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        deep = maps[self.encoder.deepest]
        for stride, step in zip(self._strides, self.steps, strict=True):
            deep = step(deep)
            is_joined = stride in maps and stride > 1
            height, width = maps[stride].shape[2:] if is_joined else (-(-side // stride) for side in x.shape[2:])
            # Odd sizes are rounded up, which leaves a row too many; encoders without padding have other sizes.
            deep = resize(deep[:, :, :height, :width], (height, width))
            if is_joined:
                deep = deep + maps[stride]
        out: Tensor = self.head(deep)
        return out


def _steps_to_the_input(encoder: Encoder) -> int:
    skips = [stage for stage in encoder.channels if stage < encoder.output_stride]
    return len(skips) + min(skips, default=encoder.output_stride).bit_length() - 1


def _step(inputs: int, outputs: int, factor: int) -> nn.Sequential:
    width = max(1, inputs // _NARROWER)
    return nn.Sequential(
        conv_norm_act(inputs, width, 1),
        # A kernel of twice the stride, so that every output sees as many inputs: 4 at stride 2.
        nn.ConvTranspose2d(width, width, 2 * factor, stride=factor, padding=factor // 2),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv_norm_act(width, outputs, 1),
    )


@register(paper="Chaurasia and Culurciello 2017, LinkNet, arXiv:1707.03718")
def linknet(
    *,
    classes: int,
    encoder: str = "resnet18",
    in_channels: int = 3,
    channels: int = 32,
    drop_path: float = 0.0,
) -> ImageModel:
    """LinkNet: a light decoder of bottlenecks with transposed convolutions, added to the maps of any encoder.

    The form is smp's: four maps are added where the paper has three, and the last step is one like the others.

    Args:
        classes: number of output channels.
        encoder: encoder name.
        in_channels: channels of the input.
        channels: width of the last step, at the input's resolution.
        drop_path: stochastic depth of the encoder.
    """
    return LinkNet(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path), classes=classes, channels=channels
    )
