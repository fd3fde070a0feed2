"""MSCAN, the multi-scale convolutional attention network of SegNeXt, which timm lacks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.encoders.contract import Encoder, load_matching, require_stage, run_chain

# name -> widths, depths and expansions of the four stages (Guo et al. 2022, Table 2)
_VARIANTS = {
    "mscan_t": ((32, 64, 160, 256), (3, 3, 5, 2), (8, 8, 4, 4)),
    "mscan_s": ((64, 128, 320, 512), (2, 2, 4, 2), (8, 8, 4, 4)),
    "mscan_b": ((64, 128, 320, 512), (3, 3, 12, 3), (8, 8, 4, 4)),
    "mscan_l": ((64, 128, 320, 512), (3, 5, 27, 3), (8, 8, 4, 4)),
}
MSCANS = tuple(_VARIANTS)

_STAGES = (4, 8, 16, 32)
_STRIPS = (7, 11, 21)
_FIRST_SCALE = 0.01


class MSCAN(Encoder):
    """Multi-scale convolutional attention (Guo et al. 2022, SegNeXt, arXiv:2209.08575, section 3.1 and Table 2).

    Four stages of strided convolutions and blocks whose attention is a product with the sum of depthwise strips.

    Args:
        name: ``mscan_t``, ``mscan_s``, ``mscan_b`` or ``mscan_l``.
        in_channels: channels of the input.
        output_stride: 32; strips of fixed length are not dilated.
        deepest: the stage that the encoder ends with: 4, 8, 16 or 32.
        drop_path: stochastic depth rate of the last block; it grows linearly from 0 at the first.
        dilate_first_block: of no consequence without dilation.
        multi_grid: must be empty.

    Raises:
        ModelError: another output stride or a multi-grid is asked for.
    """

    def __init__(
        self,
        name: str,
        *,
        in_channels: int = 3,
        output_stride: int = 32,
        deepest: int = 32,
        drop_path: float = 0.0,
        dilate_first_block: bool = False,
        multi_grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if output_stride != self.output_stride or multi_grid:
            raise ModelError(f"encoder {name!r} is not dilated; use output_stride=32 without multi_grid")
        self.name = name
        widths, depths, expansions = _VARIANTS[name]
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList()
        inputs = in_channels
        for width, depth, expansion in zip(widths, depths, expansions, strict=True):
            blocks = [_Block(width, expansion, next(rates)) for _ in range(depth)]
            self.stages.append(_Stage(_embedding(inputs, width, is_first=not self.stages), width, blocks))
            inputs = width
        self.channels = dict(zip(_STAGES, widths, strict=True))
        require_stage(self, deepest)
        self.channels = {stage: width for stage, width in self.channels.items() if stage <= deepest}
        self.output_stride = deepest
        del self.stages[len(self.channels) :]
        self.apply(_initialise)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return run_chain(self.chain(), x)

    def chain(self) -> list[tuple[nn.Module, int]]:
        return list(zip(self.stages, self.channels, strict=True))

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        """Take weights named as in the paper's own release, such as ``block1.0.attn.proj_1.weight``."""
        load_matching(self, {_own_name(key): value for key, value in state.items()}, self.name)


def _embedding(inputs: int, width: int, *, is_first: bool) -> nn.Sequential:
    """Convolutions that halve a map, or quarter the picture."""
    if not is_first:
        return nn.Sequential(nn.Conv2d(inputs, width, 3, 2, padding=1), nn.BatchNorm2d(width))
    half = width // 2
    return nn.Sequential(
        nn.Conv2d(inputs, half, 3, 2, padding=1),
        nn.BatchNorm2d(half),
        nn.GELU(),
        nn.Conv2d(half, width, 3, 2, padding=1),
        nn.BatchNorm2d(width),
    )


class _Stage(nn.Module):
    """Embedding, blocks and a norm over the channels: (N, inputs, H, W) -> (N, width, ceil(H / s), ceil(W / s))."""

    def __init__(self, embed: nn.Module, width: int, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.embed(x))
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


class _Block(nn.Module):
    """Attention and a feed-forward net, each with a batch-norm before, a scale behind and a shortcut around it."""

    def __init__(self, width: int, expansion: int, drop_path: float) -> None:
        super().__init__()
        from timm.layers.drop import DropPath

        self.norm1 = nn.BatchNorm2d(width)
        self.attention = _Attention(width)
        self.scale1 = nn.Parameter(torch.full((width,), _FIRST_SCALE))
        self.norm2 = nn.BatchNorm2d(width)
        self.ffn = _FeedForward(width, expansion * width)
        self.scale2 = nn.Parameter(torch.full((width,), _FIRST_SCALE))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.scale1[:, None, None] * self.attention(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.scale2[:, None, None] * self.ffn(self.norm2(x)))
        return out


class _Attention(nn.Module):
    """Multi-scale convolutional attention between two linear layers, with a shortcut (equations 1 and 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 1)
        self.local = _depthwise(width, 5, 5)
        self.strips = nn.ModuleList(
            nn.Sequential(_depthwise(width, 1, length), _depthwise(width, length, 1)) for length in _STRIPS
        )
        self.mix = nn.Conv2d(width, width, 1)
        self.last = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        values = F.gelu(self.first(x))
        local = self.local(values)
        scales = sum((strip(local) for strip in self.strips), start=local)
        out: Tensor = x + self.last(self.mix(scales) * values)
        return out


class _FeedForward(nn.Module):
    """Two linear layers with a 3x3 depthwise convolution between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(width, hidden, 1)
        self.local = _depthwise(hidden, 3, 3)
        self.narrow = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.narrow(F.gelu(self.local(self.widen(x))))
        return out


def _depthwise(width: int, rows: int, columns: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, (rows, columns), padding=(rows // 2, columns // 2), groups=width)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


# Parts of the released checkpoints' names and of ours; the releases count stages from 1 and scales from 0.
_RENAMED = (
    (r"^patch_embed1\.proj\.", r"stages.1.embed."),
    (r"^patch_embed(\d)\.proj\.", r"stages.\1.embed.0."),
    (r"^patch_embed(\d)\.norm\.", r"stages.\1.embed.1."),
    (r"^norm(\d)\.", r"stages.\1.norm."),
    (r"^block(\d)\.", r"stages.\1.blocks."),
    (r"\.layer_scale_(\d)$", r".scale\1"),
    (r"\.attn\.proj_1\.", ".attention.first."),
    (r"\.attn\.proj_2\.", ".attention.last."),
    (r"\.attn\.spatial_gating_unit\.conv0\.", ".attention.local."),
    (r"\.attn\.spatial_gating_unit\.conv3\.", ".attention.mix."),
    (r"\.attn\.spatial_gating_unit\.conv(\d)_1\.", r".attention.strips.\1.0."),
    (r"\.attn\.spatial_gating_unit\.conv(\d)_2\.", r".attention.strips.\1.1."),
    (r"\.mlp\.fc1\.", ".ffn.widen."),
    (r"\.mlp\.dwconv\.dwconv\.", ".ffn.local."),
    (r"\.mlp\.fc2\.", ".ffn.narrow."),
)


def _own_name(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return re.sub(r"^stages\.(\d)", lambda match: f"stages.{int(match[1]) - 1}", key)
