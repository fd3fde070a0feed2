"""torchvision's MobileNetV3-Large, of which timm's differs in dilation and batch-norm."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.encoders.contract import Encoder, cut_short, load_matching, run_chain

# Block -> the stage whose map it gives: the last block before the next stride, except at stride 8, where torchvision's
# segmentation models take the first.
_TAPS = {1: 2, 3: 4, 4: 8, 12: 16, 16: 32}


class MobileNetV3Large(Encoder):
    """MobileNetV3-Large (Howard et al. 2019, arXiv:1905.02244) as in torchvision's segmentation models.

    The pretrained weights are timm's; they were trained with another constant inside batch-norm (1e-5 for 1e-3).

    Args:
        in_channels: channels of the input.
        output_stride: 32, or 16 with the last stage dilated.
        deepest: the stage that the encoder ends with.
        drop_path: must be 0; this network has no stochastic depth.
        dilate_first_block: without effect; torchvision dilates the first block like the others.
        multi_grid: must be empty.

    Raises:
        ModelError: options that this network does not have.
    """

    name = "torchvision_mobilenet_v3_large"
    pretrained = "mobilenetv3_large_100"

    def __init__(
        self,
        *,
        in_channels: int = 3,
        output_stride: int = 32,
        deepest: int = 32,
        drop_path: float = 0.0,
        dilate_first_block: bool = True,
        multi_grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v3_large

        if output_stride not in (16, 32):
            raise ModelError(f"{self.name} has output stride 32 or 16, not {output_stride}")
        if drop_path or multi_grid:
            raise ModelError(f"{self.name} has neither drop_path nor multi_grid; leave them out")
        self.output_stride = min(output_stride, deepest)
        self.features: nn.Sequential = mobilenet_v3_large(weights=None, dilated=output_stride == 16).features
        if in_channels != 3:
            stem = nn.Conv2d(in_channels, 16, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(stem.weight, mode="fan_out")
            self.features[0][0] = stem
        self.channels = {2: 16, 4: 24, 8: 40, 16: 112, 32: 960}
        cut_short(self, self.features, _TAPS, deepest)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return run_chain(self.chain(), x)

    def chain(self) -> list[tuple[nn.Module, int]]:
        return [(block, _TAPS.get(index, 0)) for index, block in enumerate(self.features)]

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        # timm names the same tensors in the same order otherwise; its classifier comes after them
        wanted = self.features.state_dict()
        load_matching(self.features, dict(zip(wanted, state.values(), strict=False)), self.name)
