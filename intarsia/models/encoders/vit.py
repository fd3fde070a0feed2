"""Plain vision transformers of timm, whose blocks may be run one by one on further tokens."""

from __future__ import annotations

import sys
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.encoders.contract import Encoder, load_matching

PATCH = 16


class PlainViT(Encoder):
    """A plain vision transformer of timm (ViT, DINOv2, DINOv3, EVA-02) with patches of 16 pixels, for any size.

    Weights with other patches are resampled, as the EoMT paper does for DINOv2's of 14 pixels. Learned positions are
    interpolated to the picture, which is padded with zeros at the right and at the bottom to whole patches.

    Args:
        name: timm model name, for instance ``vit_small_patch14_reg4_dinov2`` or ``vit_small_patch16_dinov3``.
        in_channels: channels of the input.
        drop_path: stochastic depth rate of the last block.

    Attributes:
        blocks: the transformer's.
        norm: behind the last one.
        prefix: number of tokens before the patches': class and registers.

    Raises:
        UsageError: timm does not know the name; the message suggests the closest.
        ModelError: it is no plain vision transformer.
    """

    output_stride = PATCH

    def __init__(self, name: str, *, in_channels: int = 3, drop_path: float = 0.0) -> None:
        super().__init__()
        import timm
        from timm.models import deit
        from timm.models.eva import Eva
        from timm.models.vision_transformer import VisionTransformer

        if not timm.is_model(name):
            raise UsageError(f"timm has no backbone named {name!r}.{suggest(name, timm.list_models('*vit*'))}")
        options: dict[str, Any] = {"num_classes": 0, "global_pool": "", "dynamic_img_size": True, "patch_size": PATCH}
        vit: Any = None
        if timm.models.model_entrypoint(name).__module__ in (
            Eva.__module__,
            VisionTransformer.__module__,
            deit.__name__,
        ):
            vit = timm.create_model(name, pretrained=False, in_chans=in_channels, drop_path_rate=drop_path, **options)
        if not isinstance(vit, Eva | VisionTransformer) or getattr(vit, "rope_mixed", False):
            raise ModelError(
                f"{name!r} is no plain vision transformer, through whose blocks queries can go; take for instance "
                "'vit_small_patch14_reg4_dinov2' or 'vit_small_patch16_dinov3'"
            )
        self.name = self.pretrained = name
        config: Any = vit.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.channels = {PATCH: vit.embed_dim}
        self.vit: Any = vit
        self.prefix: int = vit.num_prefix_tokens

    @property
    def blocks(self) -> nn.Sequential:
        """The transformer's."""
        blocks: nn.Sequential = self.vit.blocks
        return blocks

    @property
    def norm(self) -> nn.Module:
        """What stands behind the last block."""
        norm: nn.Module = self.vit.norm
        return norm

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        tokens, positions, grid = self.embed(x)
        for block in self.blocks:
            tokens = run(block, tokens, positions)
        return {PATCH: self.map_of(self.norm(tokens), grid)}

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor | None, tuple[int, int]]:
        """What enters the first block.

        Returns:
            tokens (N, prefix + h * w, C), rotary positions of the patches if the network has such, and (h, w).
        """
        x = F.pad(x, (0, -x.shape[3] % PATCH, 0, -x.shape[2] % PATCH))
        patches: Tensor = self.vit.patch_embed(x)  # (N, h, w, C)
        embedded: Tensor | tuple[Tensor, Tensor | None] = self.vit._pos_embed(patches)
        tokens, positions = (embedded, None) if isinstance(embedded, Tensor) else embedded
        return self.vit.norm_pre(tokens), positions, (patches.shape[1], patches.shape[2])

    def map_of(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """(N, ... + h * w, C), the patches last, as a map (N, C, h, w)."""
        patches = tokens[:, tokens.shape[1] - grid[0] * grid[1] :]
        return patches.transpose(1, 2).reshape(tokens.shape[0], -1, *grid)

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        resample = sys.modules[type(self.vit).__module__].checkpoint_filter_fn
        renamed = {
            key.replace("fc_norm.", "norm.") if key.startswith("fc_norm.") else key: t for key, t in state.items()
        }
        load_matching(self.vit, resample(renamed, self.vit), self.name)


def run(block: nn.Module, tokens: Tensor, positions: Tensor | None, allowed: Tensor | None = None) -> Tensor:
    """Send tokens (N, T, C) through a block.

    Args:
        block: of a plain vision transformer.
        tokens: those that have rotary positions last.
        positions: the rotary ones, if the network has such.
        allowed: (N, 1, T, T) bool, which token may look at which; None for all at all.
    """
    rotary = {} if positions is None else {"rope": positions}
    out: Tensor = block(tokens, attn_mask=allowed, **rotary)
    return out
