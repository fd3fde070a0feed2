"""UPerNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import FCNHead, PyramidPooling, conv_norm_act, resize
from intarsia.models.registry import register

_LATERAL_STAGES = (16, 8, 4)
_DEEPEST = 32
_AUXILIARY_WEIGHT = 0.4


class UPerNet(ImageModel):
    """Pyramid pooling of the deepest map, a feature pyramid over the others, all of them fused; see `upernet`."""

    def __init__(self, encoder: Encoder, *, classes: int, channels: int, auxiliary: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.pyramid = PyramidPooling(require_stage(encoder, _DEEPEST), channels, width=channels)
        self.laterals = nn.ModuleList(
            conv_norm_act(require_stage(encoder, stage), channels, 1) for stage in _LATERAL_STAGES
        )
        self.smooths = nn.ModuleList(conv_norm_act(channels, channels) for _ in _LATERAL_STAGES)
        self.fuse = conv_norm_act((1 + len(_LATERAL_STAGES)) * channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, classes, 1)
        self.auxiliary = auxiliary
        if auxiliary:
            self.auxiliary_head = FCNHead(require_stage(encoder, auxiliary), classes, dropout=dropout)

    def logits(self, x: Tensor) -> Tensor:
        return self._decode(self.encoder(x))

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        if not self.auxiliary:
            return (Supervised(self.forward(x), 1.0),)
        maps = self.encoder(x)
        auxiliary = self.auxiliary_head(maps[self.auxiliary])
        return self.at_input_size(x, [(self._decode(maps), 1.0), (auxiliary, _AUXILIARY_WEIGHT)])

    def _decode(self, maps: dict[int, Tensor]) -> Tensor:
        top_down = self.pyramid(maps[_DEEPEST])
        pyramid = [top_down]
        for stage, lateral, smooth in zip(_LATERAL_STAGES, self.laterals, self.smooths, strict=True):
            here = lateral(maps[stage])
            top_down = here + resize(top_down, here.shape[2:])
            pyramid.append(smooth(top_down))
        finest = pyramid[-1].shape[2:]
        fused = self.fuse(torch.cat([resize(level, finest) for level in reversed(pyramid)], dim=1))
        out: Tensor = self.head(self.dropout(fused))
        return out


@register(paper="Xiao et al. 2018, Unified Perceptual Parsing for Scene Understanding, arXiv:1807.10221")
def upernet(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    channels: int = 512,
    auxiliary: int = 16,
    dropout: float = 0.1,
    drop_path: float = 0.0,
) -> ImageModel:
    """UPerNet: a feature pyramid network with pyramid pooling on top, for any encoder (section 3).

    Args:
        classes: number of output channels.
        encoder: encoder name, of one with maps at strides 4, 8, 16 and 32.
        in_channels: channels of the input.
        channels: width of the decoder.
        auxiliary: stage (4, 8, 16) that a second head reads in training, with weight 0.4; 0 is none.
        dropout: share of channels that are dropped before the classifiers in training.
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: the encoder lacks one of the strides.
    """
    return UPerNet(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        auxiliary=auxiliary,
        dropout=dropout,
    )
