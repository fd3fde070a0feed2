"""SegNeXt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import group_norm, resize
from intarsia.models.registry import register

_STAGES = (8, 16, 32)
_TRAINING_STEPS, _PREDICTION_STEPS = 6, 7
_SMALL = 1e-6


class SegNeXt(ImageModel):
    """The maps of three stages joined at stride 8, and what a matrix of low rank keeps of them; see `segnext`."""

    def __init__(self, encoder: Encoder, *, classes: int, channels: int, rank: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.squeeze = _normed(sum(require_stage(encoder, stage) for stage in _STAGES), channels)
        self.hamburger = Hamburger(channels, rank)
        self.align = _normed(channels, channels)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        size = maps[_STAGES[0]].shape[2:]
        joined = F.relu(self.squeeze(torch.cat([resize(maps[stage], size) for stage in _STAGES], dim=1)))
        out: Tensor = self.head(self.dropout(F.relu(self.align(self.hamburger(joined)))))
        return out


def _normed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), group_norm(outputs))


class Hamburger(nn.Module):
    """Global context by a matrix of low rank between two linear layers (Geng et al. 2021, arXiv:2109.04553)."""

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.lower = nn.Conv2d(channels, channels, 1)
        self.ham = Factorisation(channels, rank)
        self.upper = _normed(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.upper(self.ham(F.relu(self.lower(x)))))


class Factorisation(nn.Module):
    """Non-negative matrix factorisation of a map (N, C, H, W) >= 0 into C x rank bases and rank coefficients a cell.

    Multiplicative updates (Lee and Seung 2000) start from bases that are drawn at random: in training anew for each
    picture, from torch's generator, so that whoever seeds it repeats a step exactly; in prediction always the same
    ones, drawn once for all from a fixed seed, and stored with the weights. So a picture's logits depend on nothing
    but the picture and the bundle. Arithmetic is in float32 at least, as ratios of small sums need it.
    """

    bases: Tensor

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        # On the CPU wherever the model is built: there the generator gives every machine the same numbers.
        drawn = torch.rand(1, channels, rank, generator=torch.Generator().manual_seed(0), device="cpu")
        self.register_buffer("bases", drawn)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            return self._reconstruct(wide.flatten(2)).view(x.shape).to(x.dtype)

    def _reconstruct(self, x: Tensor) -> Tensor:
        """(N, C, P) -> (N, C, P) of the rank that the bases have."""
        first = self.bases.to(x.dtype).expand(x.shape[0], -1, -1)
        if self.training:
            first = torch.rand(first.shape, dtype=x.dtype, device=x.device)
        bases = F.normalize(first, dim=1)
        coefficients = (x.transpose(1, 2) @ bases).softmax(2)
        for _ in range(_TRAINING_STEPS if self.training else _PREDICTION_STEPS):
            coefficients = _updated(coefficients, x.transpose(1, 2), bases)
            bases = _updated(bases, x, coefficients)
        return bases @ _updated(coefficients, x.transpose(1, 2), bases).transpose(1, 2)


def _updated(factor: Tensor, matrix: Tensor, other: Tensor) -> Tensor:
    """One multiplicative step of `factor` towards ``factor @ other.T == matrix``."""
    return factor * (matrix @ other) / (factor @ (other.transpose(1, 2) @ other) + _SMALL)


@register(paper="Guo et al. 2022, SegNeXt, arXiv:2209.08575")
def segnext(
    *,
    classes: int,
    encoder: str = "mscan_t",
    in_channels: int = 3,
    channels: int = 256,
    rank: int = 16,
    dropout: float = 0.1,
    drop_path: float = 0.1,
) -> ImageModel:
    """SegNeXt: multi-scale convolutional attention, and global context by a matrix factorisation (section 3).

    Args:
        classes: number of output channels.
        encoder: ``mscan_t``, ``mscan_s``, ``mscan_b`` or ``mscan_l``, or any other with maps at strides 8, 16 and 32.
        in_channels: channels of the input.
        channels: width of the decoder, a multiple of 32; the paper's is 256 for T and S, 512 for B, 1024 for L.
        rank: number of bases that the factorisation keeps.
        dropout: share of the decoder's channels that are dropped in training.
        drop_path: stochastic depth of the encoder; the paper's is 0.1, and 0.3 for L.

    Raises:
        ModelError: the encoder lacks one of the strides.
    """
    return SegNeXt(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        channels=channels,
        rank=rank,
        dropout=dropout,
    )
