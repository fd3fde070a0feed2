"""The Mix Transformer, SegFormer's encoder, which timm lacks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.encoders.contract import Encoder, load_matching, require_stage, run_chain

# name -> widths and depths of the four stages (Xie et al. 2021, Table 6)
_VARIANTS = {
    "mit_b0": ((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": ((64, 128, 320, 512), (2, 2, 2, 2)),
    "mit_b2": ((64, 128, 320, 512), (3, 4, 6, 3)),
    "mit_b3": ((64, 128, 320, 512), (3, 4, 18, 3)),
    "mit_b4": ((64, 128, 320, 512), (3, 8, 27, 3)),
    "mit_b5": ((64, 128, 320, 512), (3, 6, 40, 3)),
}
MIX_TRANSFORMERS = tuple(_VARIANTS)

_STAGES = (4, 8, 16, 32)
_HEADS = (1, 2, 5, 8)
_REDUCTIONS = (8, 4, 2, 1)
_EXPANSION = 4


class MixTransformer(Encoder):
    """Mix Transformer (Xie et al. 2021, SegFormer, arXiv:2105.15203, section 3.1 and Table 6).

    Four stages of overlapping patch embedding and transformer blocks. There is no positional encoding: zero padding
    of the convolutions tells where a token is, so any input size will do.

    Args:
        name: ``mit_b0`` to ``mit_b5``.
        in_channels: channels of the input.
        output_stride: 32; attention cannot be dilated.
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
            raise ModelError(
                f"encoder {name!r} is a transformer, which cannot be dilated; use output_stride=32 without multi_grid"
            )
        self.name = name
        widths, depths = _VARIANTS[name]
        self.channels = dict(zip(_STAGES, widths, strict=True))
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList()
        inputs = in_channels
        for width, depth, heads, reduction in zip(widths, depths, _HEADS, _REDUCTIONS, strict=True):
            blocks = [_Block(width, heads, reduction, next(rates)) for _ in range(depth)]
            self.stages.append(_Stage(inputs, width, blocks, is_first=not self.stages))
            inputs = width
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
        """Take weights named as in the paper's own release, such as ``block1.0.attn.q.weight``."""
        load_matching(self, {_own_name(key): value for key, value in state.items()}, self.name)


class _Stage(nn.Module):
    """Patch embedding, transformer blocks and a norm: (N, inputs, H, W) -> (N, width, ceil(H / s), ceil(W / s))."""

    def __init__(self, inputs: int, width: int, blocks: Sequence[nn.Module], *, is_first: bool) -> None:
        super().__init__()
        kernel, stride = (7, 4) if is_first else (3, 2)
        self.embed = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2)
        self.embed_norm = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed_norm(_channels_last(self.embed(x)))
        return _channels_first(self.norm(self.blocks(tokens)))


class _Block(nn.Module):
    """Efficient self-attention and Mix-FFN, each with a norm before and a shortcut around it, on (N, H, W, C)."""

    def __init__(self, width: int, heads: int, reduction: int, drop_path: float) -> None:
        super().__init__()
        from timm.layers.drop import DropPath

        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = _EfficientAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.ffn = _MixFFN(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attention(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.ffn(self.norm2(x)))
        return out


class _EfficientAttention(nn.Module):
    """Self-attention of every token to a map that a strided convolution has reduced (equation 2)."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self._heads = heads
        self._reduction = reduction
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.reduce = nn.Conv2d(width, width, reduction, stride=reduction)
            self.reduce_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        source = self._reduced(x) if self._reduction > 1 else x
        q = self._split(self.q(x))
        k, v = (self._split(part) for part in self.kv(source).chunk(2, dim=-1))
        attended = F.scaled_dot_product_attention(q, k, v)  # (N, heads, H * W, C / heads)
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(x.shape))
        return out

    def _reduced(self, x: Tensor) -> Tensor:
        # the convolution drops an incomplete last row or column, but a map smaller than its kernel must not vanish
        rows, columns = (max(0, self._reduction - size) for size in x.shape[1:3])
        padded = F.pad(_channels_first(x), (0, columns, 0, rows))
        out: Tensor = self.reduce_norm(_channels_last(self.reduce(padded)))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, heads, H * W, C / heads)."""
        return x.reshape(x.shape[0], -1, self._heads, x.shape[3] // self._heads).transpose(1, 2)


class _MixFFN(nn.Module):
    """Two linear layers with a 3x3 depthwise convolution between them (equation 3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = _EXPANSION * width
        self.fc1 = nn.Linear(width, hidden)
        self.conv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed = _channels_last(self.conv(_channels_first(self.fc1(x))))
        out: Tensor = self.fc2(F.gelu(mixed))
        return out


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


# Parts of the released checkpoints' names and of ours; the releases count stages from 1.
_RENAMED = (
    (r"^patch_embed(\d)\.proj\.", r"stages.\1.embed."),
    (r"^patch_embed(\d)\.norm\.", r"stages.\1.embed_norm."),
    (r"^norm(\d)\.", r"stages.\1.norm."),
    (r"^block(\d)\.", r"stages.\1.blocks."),
    (r"\.attn\.sr\.", ".attention.reduce."),
    (r"\.attn\.norm\.", ".attention.reduce_norm."),
    (r"\.attn\.", ".attention."),
    (r"\.mlp\.dwconv\.dwconv\.", ".ffn.conv."),
    (r"\.mlp\.", ".ffn."),
)


def _own_name(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return re.sub(r"^stages\.(\d)", lambda match: f"stages.{int(match[1]) - 1}", key)
