"""smp's EfficientNets: timm's, but for the map at stride 2, and for padding that is fixed."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.encoders.backbones import TimmEncoder, set_dilation
from intarsia.models.encoders.contract import Encoder, run_chain

_FINEST = 2
# name -> timm's name
_FIXED_PADDING = {f"smp_efficientnet_b{size}": f"tf_efficientnet_b{size}" for size in range(8)}
SMP_EFFICIENTNETS = {
    **_FIXED_PADDING,
    **{
        f"smp_timm_efficientnet_{size}": f"efficientnet_{size}" for size in (*(f"b{index}" for index in range(9)), "l2")
    },
    **{f"smp_timm_tf_efficientnet_lite{size}": f"efficientnet_lite{size}" for size in range(5)},
}


class SmpEfficientNet(TimmEncoder):
    """EfficientNet (Tan and Le 2019, arXiv:1905.11946) as in segmentation-models-pytorch (smp).

    Its map at stride 2 is that of the first convolution; timm's is that of the first stage. ``smp_efficientnet_b0`` to
    ``b7`` are smp's ``efficientnet-b0`` and so on: those that pad as TensorFlow does at the network's own size,
    whatever the picture's. ``smp_timm_efficientnet_...`` and ``smp_timm_tf_efficientnet_lite...``, named like smp's,
    pad evenly.

    Args:
        name: one of `SMP_EFFICIENTNETS`.
        options: see `TimmEncoder`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(SMP_EFFICIENTNETS[name], **options)
        self.name = name
        self.mean, self.std = Encoder.IMAGENET_MEAN, Encoder.IMAGENET_STD
        backbone: Any = self.backbone
        # (stage, block), counted from 0, -> the stride that its result is the map of
        ends = sorted(backbone._stage_out_idx)
        self._taps = {
            (end - 1, len(backbone.blocks[end - 1]) - 1): stride
            for end, stride in zip(ends, self._stages, strict=True)
            if stride > _FINEST
        }
        if name == "smp_efficientnet_b0":  # smp takes the first block of the fifth stage, and counts the others on
            self._taps = {
                (stage, 0 if stride == 16 else block): stride for (stage, block), stride in self._taps.items()
            }
            if self.output_stride < self.deepest and options.get("dilate_first_block"):
                for block in backbone.blocks[4][1:]:
                    set_dilation(block.conv_dw, self.deepest // self.output_stride)
        if _FINEST in self.channels:
            self.channels[_FINEST] = backbone.conv_stem.out_channels
        if name in _FIXED_PADDING:
            self._rounds_up = False
            _fix_padding(backbone, backbone.pretrained_cfg["input_size"][-1])

    def chain(self) -> list[tuple[nn.Module, int]]:
        return self._layers() if self._rounds_up else super().chain()

    def _maps(self, x: Tensor) -> list[Tensor]:
        return list(run_chain(self._layers(), x).values())

    def _layers(self) -> list[tuple[nn.Module, int]]:
        backbone: Any = self.backbone
        layers = [(backbone.conv_stem, 0), (backbone.bn1, _FINEST)]
        for stage, blocks in enumerate(backbone.blocks):
            layers += [(block, self._taps.get((stage, index), 0)) for index, block in enumerate(blocks)]
        return layers


class _FixedPaddingConv2d(nn.Conv2d):
    """A convolution with other padding before than after, the same for every size.

    Attributes:
        fixed: (left, right, top, bottom).
    """

    fixed: tuple[int, int, int, int]

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(F.pad(input, self.fixed), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _fix_padding(backbone: nn.Module, size: int) -> None:
    """Give convolutions with stride the padding that they have where the picture is of `size`, in place."""
    for conv in backbone.modules():
        if isinstance(conv, nn.Conv2d) and conv.stride[0] > 1:
            after = -(-size // conv.stride[0])
            total = max((after - 1) * conv.stride[0] + conv.kernel_size[0] - size, 0)
            conv.__class__ = _FixedPaddingConv2d
            conv.padding = (0, 0)
            cast(_FixedPaddingConv2d, conv).fixed = (total // 2, total - total // 2) * 2
            size = after
