"""SegFormer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import resize
from intarsia.models.registry import register

_STAGES = (4, 8, 16, 32)


class SegFormer(ImageModel):
    """The maps of four stages, each through linear layers, fused at stride 4; see `segformer`."""

    def __init__(self, encoder: Encoder, *, classes: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.linears = nn.ModuleList(nn.Conv2d(require_stage(encoder, stage), channels, 1) for stage in _STAGES)
        self.fusions = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in _STAGES)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        size = maps[_STAGES[0]].shape[2:]
        # The paper enlarges and concatenates the maps before it fuses them. A linear layer of a concatenation is a sum
        # of linear layers, and those commute with bilinear interpolation: fused first, it costs a third.
        first, *others = (
            resize(fuse(linear(maps[stage])), size)
            for stage, linear, fuse in zip(_STAGES, self.linears, self.fusions, strict=True)
        )
        fused = self.norm(sum(others, start=first))
        out: Tensor = self.head(self.dropout(F.relu(fused)))
        return out


@register(paper="Xie et al. 2021, SegFormer, arXiv:2105.15203")
def segformer(
    *,
    classes: int,
    encoder: str = "mit_b0",
    in_channels: int = 3,
    channels: int = 256,
    dropout: float = 0.1,
    drop_path: float = 0.1,
) -> ImageModel:
    """SegFormer: a Mix Transformer without positional encoding, and a decoder of linear layers only (section 3).

    Args:
        classes: number of output channels.
        encoder: ``mit_b0`` to ``mit_b5``, or any other encoder with maps at strides 4, 8, 16 and 32.
        in_channels: channels of the input.
        channels: width of the decoder; the paper's is 256 for B0 and B1, 768 for B2 to B5.
        dropout: share of the fused channels that are dropped in training.
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: the encoder lacks one of the strides.
    """
    return SegFormer(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        dropout=dropout,
    )
