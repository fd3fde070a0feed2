"""SwiftNet: a pretrained encoder with the lightest of ladders, for real time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import PooledNorm, conv_norm_act, resize, score_conv, separable_conv
from intarsia.models.registry import register


class SwiftNet(ImageModel):
    """An encoder, a pyramid of pooled contexts and a ladder back to a fine map; see `swiftnet`."""

    encoder: Encoder

    def __init__(
        self,
        encoder: Encoder,
        conv: Callable[[int, int], nn.Module],
        *,
        classes: int,
        widths: Sequence[int],
        grids: Sequence[int],
        finest: int,
        dropout: float,
    ) -> None:
        super().__init__()
        require_stage(encoder, finest)
        stages = sorted((stage for stage in encoder.channels if stage >= finest), reverse=True)
        if len(widths) not in (1, len(stages)):
            raise ModelError(
                f"channels: one number, or one for each of the encoder's stages {stages}, not {list(widths)}"
            )
        first, *rest = widths if len(widths) > 1 else [*widths] * len(stages)
        self.encoder = encoder
        self._rungs = stages[1:]
        self.pyramid = ContextPyramid(encoder.channels[stages[0]], first, grids)
        self.ladder = nn.ModuleList(
            _Rung(before, encoder.channels[stage], width, conv)
            for stage, before, width in zip(self._rungs, (first, *rest), rest, strict=False)
        )
        self.head = nn.Sequential(nn.Dropout(dropout), score_conv(rest[-1], classes))

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.pyramid(maps[self.encoder.deepest])
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        out = context
        for stage, rung in zip(self._rungs, self.ladder, strict=True):
            out = rung(out, maps[stage])
        logits: Tensor = self.head(out)
        return logits


class ContextPyramid(nn.Module):
    """A map beside its averages over grids of few cells (Oršić et al. 2019, section 3.3), in a few channels.

    Args:
        inputs: channels of the map.
        outputs: channels of the result.
        grids: cells along each side of the averages; 1 is the whole map.
    """

    def __init__(self, inputs: int, outputs: int, grids: Sequence[int]) -> None:
        super().__init__()
        self.reduce = conv_norm_act(inputs, outputs, 1)
        width = outputs // len(grids)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(grid), nn.Conv2d(outputs, width, 1, bias=False), PooledNorm(width), nn.ReLU()
            )
            for grid in grids
        )
        self.fuse = conv_norm_act(outputs + width * len(grids), outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        out: Tensor = self.fuse(torch.cat([x, *(resize(level(x), x.shape[2:]) for level in self.levels)], dim=1))
        return out


class _Rung(nn.Module):
    """The coarser map enlarged, the encoder's added, and a convolution that blends them (section 3.4)."""

    def __init__(self, inputs: int, lateral: int, outputs: int, conv: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.narrow: nn.Module = nn.Identity() if inputs == outputs else conv_norm_act(inputs, outputs, 1)
        self.lateral = nn.Sequential(nn.Conv2d(lateral, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.blend = conv(outputs, outputs)

    def forward(self, coarse: Tensor, lateral: Tensor) -> Tensor:
        fine = self.lateral(lateral)
        out: Tensor = self.blend(F.relu(fine + resize(self.narrow(coarse), fine.shape[2:])))
        return out


@register(paper="Oršić et al. 2019, In Defense of Pre-trained ImageNet Architectures, arXiv:1903.08469")
def swiftnet(
    *,
    classes: int,
    encoder: str = "resnet18",
    in_channels: int = 3,
    channels: int | Sequence[int] = 128,
    grids: Sequence[int] = (8, 4, 2, 1),
    finest: int = 4,
    separable: bool = False,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> ImageModel:
    """SwiftNet: a pretrained encoder, pooled contexts and a ladder of one convolution a rung, for real time.

    The single-scale model of the paper. Its norms and activations stand before the convolutions there, and after them
    here, so that they vanish into the convolutions for prediction.

    Args:
        classes: number of output channels.
        encoder: encoder name; its maps from the finest on are used.
        in_channels: channels of the input.
        channels: width of the ladder, or that at each of the encoder's stages, deepest first.
        grids: cells along each side of the pooled contexts.
        finest: stride that the ladder ends at, that of the logits: 4 in the paper, 2 for things a few pixels wide.
        separable: depthwise separable convolutions in the ladder.
        dropout: rate before the classifier.
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: another number of widths than the encoder has stages, or it has none as fine.
    """
    return SwiftNet(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        partial(separable_conv, depthwise_norm=False) if separable else conv_norm_act,
        classes=classes,
        widths=[channels] if isinstance(channels, int) else channels,
        grids=grids,
        finest=finest,
        dropout=dropout,
    )
