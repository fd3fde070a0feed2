"""torchvision's MobileNetV2 with its last 1x1 convolution, which timm's features end before."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.encoders.backbones import set_dilation
from intarsia.models.encoders.contract import Encoder, cut_short, load_matching, run_chain

_TAPS = {1: 2, 3: 4, 6: 8, 13: 16, 18: 32}  # block -> the stage whose map it gives
_WIDTHS = (16, 24, 32, 96, 1280)


class MobileNetV2(Encoder):
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) as in torchvision and smp: its deepest map has 1280 channels.

    Args:
        in_channels: channels of the input.
        output_stride: 32, 16 or 8.
        deepest: the stage that the encoder ends with.
        drop_path: must be 0; this network has no stochastic depth.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as smp does.
        multi_grid: must be empty.

    Raises:
        ModelError: options that this network does not have.
    """

    name = "torchvision_mobilenet_v2"
    pretrained = "mobilenetv2_100"

    def __init__(
        self,
        *,
        in_channels: int = 3,
        output_stride: int = 32,
        deepest: int = 32,
        drop_path: float = 0.0,
        dilate_first_block: bool = False,
        multi_grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2

        if output_stride not in (8, 16, 32):
            raise ModelError(f"{self.name} has output stride 32, 16 or 8, not {output_stride}")
        if drop_path or multi_grid:
            raise ModelError(f"{self.name} has neither drop_path nor multi_grid; leave them out")
        self.output_stride = min(output_stride, deepest)
        self.features: nn.Sequential = mobilenet_v2(weights=None).features
        if in_channels != 3:
            stem = nn.Conv2d(in_channels, 32, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(stem.weight, mode="fan_out")
            self.features[0][0] = stem
        self.channels = dict(zip(_TAPS.values(), _WIDTHS, strict=True))
        self._dilate(output_stride, dilate_first_block)
        cut_short(self, self.features, _TAPS, deepest)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return run_chain(self.chain(), x)

    def chain(self) -> list[tuple[nn.Module, int]]:
        return [(block, _TAPS.get(index, 0)) for index, block in enumerate(self.features)]

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        # timm names the same tensors in the same order otherwise; its classifier comes after them
        wanted = self.features.state_dict()
        load_matching(self.features, dict(zip(wanted, state.values(), strict=False)), self.name)

    def _dilate(self, output_stride: int, whole_stages: bool) -> None:
        first = 0
        for last, stage in _TAPS.items():
            rate = stage // output_stride
            for conv in self.features[first : last + 1].modules():
                if rate > 1 and isinstance(conv, nn.Conv2d) and conv.kernel_size != (1, 1):
                    loses_stride = conv.stride != (1, 1)
                    conv.stride = (1, 1)
                    set_dilation(conv, rate if whole_stages or not loses_stride else rate // 2)
            first = last + 1
