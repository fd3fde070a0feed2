"""GCN, the global convolutional network."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import BilinearDeconv, BoundaryRefinement, GlobalConvolution
from intarsia.models.registry import register

_STAGES = (32, 16, 8, 4)


class GCN(ImageModel):
    """Score maps of large kernels at four strides, refined and added up from deep to shallow; see `gcn`."""

    def __init__(self, encoder: Encoder, *, classes: int, kernel: int, refine: bool, up: str) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ModelError(f"gcn: kernel must be odd, so that the maps keep their sizes, not {kernel}")
        if up not in ("deconv", "bilinear"):
            raise ModelError(f"gcn: up must be 'deconv' or 'bilinear', not {up!r}")

        def refinement() -> nn.Module:
            return BoundaryRefinement(classes) if refine else nn.Identity()

        def upsampler() -> nn.Module:
            if up == "deconv":
                return BilinearDeconv(classes, 2, padding=1, learned=True)
            return nn.Upsample(scale_factor=2, mode="bilinear")

        self.encoder = encoder
        self.laterals = nn.ModuleList(
            nn.Sequential(GlobalConvolution(require_stage(encoder, stage), classes, kernel), refinement())
            for stage in _STAGES
        )
        steps = len(_STAGES) - 1 + 2  # to stride 4 with laterals, and on to 2 and 1 without
        self.ups = nn.ModuleList(upsampler() for _ in range(steps))
        self.refinements = nn.ModuleList(refinement() for _ in range(steps))

    def logits(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        scores: Tensor
        scores, *laterals = (lateral(maps[stage]) for lateral, stage in zip(self.laterals, _STAGES, strict=True))
        height, width = x.shape[2:]
        sizes = [lateral.shape[2:] for lateral in laterals] + [(-(-height // 2), -(-width // 2)), (height, width)]
        for step, (rows, columns) in enumerate(sizes):
            # cut, not resized to fit: cells of odd maps stay where those of a larger picture would be
            scores = self.ups[step](scores)[:, :, :rows, :columns]
            if step < len(laterals):
                scores = scores + laterals[step]
            scores = self.refinements[step](scores)
        return scores


@register(paper="Peng et al. 2017, Large Kernel Matters, arXiv:1703.02719")
def gcn(
    *,
    classes: int,
    encoder: str = "resnet101",
    in_channels: int = 3,
    kernel: int = 15,
    refine: bool = True,
    up: Literal["deconv", "bilinear"] = "deconv",
    drop_path: float = 0.0,
) -> ImageModel:
    """GCN: classifiers with kernels as large as the deepest map, and boundary refinement (section 3).

    Score maps of one channel a class come from the strides 32, 16, 8 and 4. From the deepest on they are upsampled by
    2, added to the next and refined, and at last upsampled twice more, to the input's size.

    Args:
        classes: number of output channels.
        encoder: encoder name; the paper's is ``resnet152``.
        in_channels: channels of the input.
        kernel: size k of the large kernels, odd. The paper's 15 covers the deepest map of a 512 pixel picture, its 25
            that of an 800 pixel one.
        refine: boundary refinement blocks; without them the paper's accuracy near boundaries falls.
        up: "deconv", transposed convolutions that start as bilinear interpolation and are trained, or "bilinear".
        drop_path: stochastic depth of the encoder.

    Raises:
        ModelError: the kernel is even, `up` is neither of the two, or the encoder lacks one of the strides.
    """
    return GCN(
        build_encoder(encoder, in_channels=in_channels, drop_path=drop_path),
        classes=classes,
        kernel=kernel,
        refine=refine,
        up=up,
    )
