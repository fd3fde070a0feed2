"""Fully convolutional networks: the originals over VGG16, and today's form over any dilated encoder."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.encoders.contract import load_matching
from intarsia.models.encoders.vgg import VGG16, he_normal
from intarsia.models.layers import BilinearDeconv, FCNHead
from intarsia.models.registry import register

_PAPER = "Long et al. 2015, Fully Convolutional Networks for Semantic Segmentation, arXiv:1411.4038"
_PAPER_PADDING = 100
_PAPER_WIDTH = 4096

# Where the released networks cut, with an input padding of 100: pool maps before they are added, by stage, and the
# last deconvolution, by its factor. Cell i of fc6, which is not padded, is centred at pixel 32 i + 12.5; the offsets
# make the centres meet.
_SKIP_OFFSET = {16: 5, 8: 9}
_LAST_OFFSET = {32: 19, 16: 27, 8: 31}


class ConvolutionalVGG16(VGG16):
    """VGG16 with fc6 and fc7 as convolutions (section 3.1): the map of stage 32 is fc7's.

    Args:
        in_channels: channels of the input.
        padding: of the input, 100 or 1. With 1, fc6 is padded by 3 instead, so that there are ceil(size / 32) cells.
        base: channels of the first stage.
        width: channels of fc6 and fc7; only the original's 4096 start from pretrained weights.
        dropout: rate after fc6 and after fc7.
    """

    def __init__(self, *, in_channels: int, padding: int, base: int, width: int, dropout: float) -> None:
        super().__init__(in_channels=in_channels, padding=padding, base=base)
        fc6 = nn.Conv2d(self.channels[32], width, 7, padding=0 if padding == _PAPER_PADDING else 3)
        fc7 = nn.Conv2d(width, width, 1)
        he_normal(fc6)
        he_normal(fc7)
        self.fc6 = nn.Sequential(fc6, nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.fc7 = nn.Sequential(fc7, nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.channels[32] = width

    def chain(self) -> list[tuple[nn.Module, int]]:
        pools = [(layer, stage % 32) for layer, stage in super().chain()]
        return [*pools, (self.fc6, 0), (self.fc7, 32)]

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        super().load_pretrained(state)
        if self.channels[32] == _PAPER_WIDTH:
            for layer, stored in ((self.fc6, "pre_logits.fc1."), (self.fc7, "pre_logits.fc2.")):
                layer_state = {f"0.{key.removeprefix(stored)}": state[key] for key in state if key.startswith(stored)}
                load_matching(layer, layer_state, self.name)


class FCN(ImageModel):
    """Scores of fc7, upsampled step by step and joined with scores of pools; see `fcn32s` and its siblings.

    Args:
        encoder: the network below the scores.
        classes: number of output channels.
        skips: pools that are joined, deepest first: stage -> factor on its features.
        padding: the encoder's padding of the input.
        learned_upsampling: train the deconvolutions.
    """

    def __init__(
        self,
        encoder: ConvolutionalVGG16,
        *,
        classes: int,
        skips: Mapping[int, float],
        padding: int,
        learned_upsampling: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._skips = dict(skips)
        finest = min((32, *skips))
        if padding == _PAPER_PADDING:
            self._skip_offset, self._last_offset, cut = _SKIP_OFFSET, _LAST_OFFSET[finest], 0
        else:  # all maps begin at pixel 0, and so do deconvolutions without half a stride
            self._skip_offset, self._last_offset, cut = dict.fromkeys(skips, 0), 0, 1
        self.score = nn.ModuleDict(
            {str(stage): nn.Conv2d(encoder.channels[stage], classes, 1) for stage in (32, *skips)}
        )
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)
        self.upscore = nn.ModuleDict(
            {str(stage): BilinearDeconv(classes, 2, padding=cut, learned=learned_upsampling) for stage in skips}
        )
        self.last = BilinearDeconv(classes, finest, padding=cut * finest // 2, learned=learned_upsampling)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.score["32"](maps[32])
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        score = context
        for stage, factor in self._skips.items():
            score = self.upscore[str(stage)](score)
            offset = self._skip_offset[stage]
            skip = self.score[str(stage)](maps[stage] * factor)[:, :, offset:, offset:]
            height, width = (min(sides) for sides in zip(score.shape[2:], skip.shape[2:], strict=True))
            score = score[:, :, :height, :width] + skip[:, :, :height, :width]
        start = self._last_offset
        out: Tensor = self.last(score)[:, :, start : start + size[0], start : start + size[1]]
        return out

    def early(self, maps: dict[int, Tensor]) -> Tensor:
        """Labels by the scores of the deepest early pool, as in Clockwork Convnets (section 4.3); else its features."""
        deepest = max(maps)
        if str(deepest) not in self.score:
            return maps[deepest]
        labels: Tensor = self.score[str(deepest)](maps[deepest] * self._skips[deepest]).argmax(1)
        return labels


def _fcn(
    skips: Mapping[int, float],
    *,
    classes: int,
    in_channels: int,
    padding: int,
    base: int,
    width: int,
    dropout: float,
    learned_upsampling: bool,
) -> FCN:
    if padding not in (1, _PAPER_PADDING):
        raise ModelError(f"padding is {_PAPER_PADDING} (the paper's) or 1, not {padding}")
    encoder = ConvolutionalVGG16(in_channels=in_channels, padding=padding, base=base, width=width, dropout=dropout)
    return FCN(encoder, classes=classes, skips=skips, padding=padding, learned_upsampling=learned_upsampling)


@register(paper=_PAPER)
def fcn32s(
    *,
    classes: int,
    in_channels: int = 3,
    padding: int = 100,
    base: int = 64,
    width: int = 4096,
    dropout: float = 0.5,
    learned_upsampling: bool = False,
) -> ImageModel:
    """FCN-32s: VGG16 with convolutions for its fully connected layers, upsampled 32 times in one step.

    Scores start at zero. Training goes on with `fcn16s` from the weights of this network, then with `fcn8s`.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        padding: zeros around the input, 100 as in the paper, or 1, which saves much of the work on small pictures;
            fc6 then is padded instead. Weights fit both.
        base: channels of VGG16's first stage; pretrained weights need 64.
        width: channels of fc6 and fc7; pretrained weights fill these two layers if it is 4096.
        dropout: rate after fc6 and after fc7.
        learned_upsampling: train the deconvolutions, one kernel for each class, from their bilinear start. The released
            networks keep them fixed.
    """
    return _fcn(
        {},
        classes=classes,
        in_channels=in_channels,
        padding=padding,
        base=base,
        width=width,
        dropout=dropout,
        learned_upsampling=learned_upsampling,
    )


@register(paper=_PAPER)
def fcn16s(
    *,
    classes: int,
    in_channels: int = 3,
    padding: int = 100,
    base: int = 64,
    width: int = 4096,
    dropout: float = 0.5,
    learned_upsampling: bool = False,
) -> ImageModel:
    """FCN-16s: FCN-32s joined with scores of pool4 (section 4.2).

    The scores of pool4 start at zero; the rest is meant to start from a trained `fcn32s`, of which
    ``weights: path/to/fcn32s.safetensors`` in a recipe takes all that fits.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        padding: zeros around the input, 100 as in the paper, or 1; see `fcn32s`.
        base: channels of VGG16's first stage; pretrained weights need 64.
        width: channels of fc6 and fc7; pretrained weights fill these two layers if it is 4096.
        dropout: rate after fc6 and after fc7.
        learned_upsampling: train the deconvolutions from their bilinear start.
    """
    return _fcn(
        {16: 1},
        classes=classes,
        in_channels=in_channels,
        padding=padding,
        base=base,
        width=width,
        dropout=dropout,
        learned_upsampling=learned_upsampling,
    )


@register(paper=_PAPER)
def fcn8s(
    *,
    classes: int,
    in_channels: int = 3,
    padding: int = 100,
    base: int = 64,
    width: int = 4096,
    dropout: float = 0.5,
    learned_upsampling: bool = False,
) -> ImageModel:
    """FCN-8s: FCN-16s joined with scores of pool3 (section 4.2).

    The scores of pool3 start at zero; the rest is meant to start from a trained `fcn16s`, of which
    ``weights: path/to/fcn16s.safetensors`` in a recipe takes all that fits.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        padding: zeros around the input, 100 as in the paper, or 1; see `fcn32s`.
        base: channels of VGG16's first stage; pretrained weights need 64.
        width: channels of fc6 and fc7; pretrained weights fill these two layers if it is 4096.
        dropout: rate after fc6 and after fc7.
        learned_upsampling: train the deconvolutions from their bilinear start.
    """
    return _fcn(
        {16: 1, 8: 1},
        classes=classes,
        in_channels=in_channels,
        padding=padding,
        base=base,
        width=width,
        dropout=dropout,
        learned_upsampling=learned_upsampling,
    )


@register(paper="Shelhamer et al. 2016, Fully Convolutional Networks for Semantic Segmentation, arXiv:1605.06211")
def fcn8s_at_once(
    *,
    classes: int,
    in_channels: int = 3,
    padding: int = 100,
    base: int = 64,
    width: int = 4096,
    dropout: float = 0.5,
    learned_upsampling: bool = False,
) -> ImageModel:
    """FCN-8s trained at once: pool4's features times 0.01 and pool3's times 0.0001 keep its skips in check.

    Without the stages of `fcn32s` and `fcn16s`, unscaled pool features, which are large, would dominate the scores.

    Args:
        classes: number of output channels.
        in_channels: channels of the input.
        padding: zeros around the input, 100 as in the paper, or 1; see `fcn32s`.
        base: channels of VGG16's first stage; pretrained weights need 64.
        width: channels of fc6 and fc7; pretrained weights fill these two layers if it is 4096.
        dropout: rate after fc6 and after fc7.
        learned_upsampling: train the deconvolutions from their bilinear start.
    """
    return _fcn(
        {16: 0.01, 8: 0.0001},
        classes=classes,
        in_channels=in_channels,
        padding=padding,
        base=base,
        width=width,
        dropout=dropout,
        learned_upsampling=learned_upsampling,
    )


class DilatedFCN(ImageModel):
    """A light head on the deepest map, and another on an earlier one in training; see `fcn`."""

    encoder: Encoder

    def __init__(self, encoder: Encoder, *, classes: int, auxiliary: int, dropout: float, align_corners: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.align_corners = align_corners
        self.head = FCNHead(encoder.channels[encoder.deepest], classes, dropout=dropout)
        self.auxiliary = auxiliary
        if auxiliary:
            self.auxiliary_head = FCNHead(require_stage(encoder, auxiliary), classes, dropout=dropout)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.head(maps[self.encoder.deepest])
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        return context

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        if not self.auxiliary:
            return (Supervised(self.forward(x), 1.0),)
        maps = self.encoder(x)
        auxiliary = self.auxiliary_head(maps[self.auxiliary])
        return self.at_input_size(x, [(self.context(maps), 1.0), (auxiliary, 0.5)])


@register(paper=_PAPER)
def fcn(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 8,
    auxiliary: int = 16,
    dropout: float = 0.1,
    dilate_first_block: bool = False,
    align_corners: bool = False,
) -> ImageModel:
    """FCN as torchvision builds it: a 3x3 convolution and a classifier on the deepest map of any dilated encoder.

    Args:
        classes: number of output channels.
        encoder: timm backbone name.
        in_channels: channels of the input.
        output_stride: 32, 16 or 8.
        auxiliary: stage (2, 4, 8, 16) that a second head reads in training, with half the weight; 0 is none.
        dropout: rate before the classifiers.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others.
        align_corners: the convention of resizing the logits.
    """
    return DilatedFCN(
        build_encoder(
            encoder, in_channels=in_channels, output_stride=output_stride, dilate_first_block=dilate_first_block
        ),
        classes=classes,
        auxiliary=auxiliary,
        dropout=dropout,
        align_corners=align_corners,
    )
