"""Every registered architecture in a form small enough for a test."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from intarsia.models import SegmentationModel, build, encoders
from intarsia.models.encoders import mit, mscan
from intarsia.models.encoders.contract import run_chain


class Plain(encoders.Encoder):
    """A convolution a stage: an encoder of which nothing is asked but its maps."""

    name = "test_plain"

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
        self.channels = {stage: 8 for stage in (2, 4, 8, 16, 32) if stage <= deepest}
        self.output_stride = min(output_stride, deepest)
        self.layers = nn.ModuleList(
            nn.Conv2d(8 if stage > 2 else in_channels, 8, 3, stride=2 if stage <= output_stride else 1, padding=1)
            for stage in self.channels
        )

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return run_chain(self.chain(), x)

    def chain(self) -> list[tuple[nn.Module, int]]:
        return list(zip(self.layers, self.channels, strict=True))


# `mit_b0` and `mscan_t` with no block but one of each kind, which says as much of them and takes less tracing.
_WIDTHS = (32, 64, 160, 256)
mit._VARIANTS["test_mit"] = (_WIDTHS, (1, 0, 0, 1))  # the last stage's attention is to a map that is not reduced
mscan._VARIANTS["test_mscan"] = (_WIDTHS, (0, 1, 0, 0), (8, 8, 4, 4))
encoders._OWN["test_mit"] = partial(mit.MixTransformer, "test_mit")
encoders._OWN["test_mscan"] = partial(mscan.MSCAN, "test_mscan")
encoders._OWN["test_plain"] = Plain

# Options that make each architecture small; one without an entry fails the sweep.
SMALL: dict[str, dict[str, Any]] = {
    "bisenetv2": {"width": 0.125, "head_channels": 16, "auxiliary_channels": 8},
    "ddrnet": {"width": 4, "context_channels": 8, "head_channels": 8},
    "deeplabv1": {"base": 4, "width": 64, "dropout": 0},
    "deeplabv2": {"encoder": "test_resnet"},
    "deeplabv3": {"encoder": "test_resnet", "channels": 16, "auxiliary": 16},
    "deeplabv3plus": {"encoder": "test_efficientnet", "channels": 16},
    "eomt": {"encoder": "test_vit", "queries": 6, "blocks": 2},
    "fcn": {"encoder": "test_resnet"},
    "fcn16s": {"base": 4, "width": 16, "dropout": 0, "learned_upsampling": True},
    "fcn32s": {"base": 4, "width": 32, "dropout": 0, "padding": 1},
    "fcn8s": {"base": 4, "width": 32, "dropout": 0, "padding": 1},
    "fcn8s_at_once": {"base": 6, "width": 32, "dropout": 0, "padding": 1, "learned_upsampling": True},
    "fpn": {"encoder": "test_efficientnet", "channels": 16, "branch_channels": 32},
    "gcn": {"encoder": "test_efficientnet", "kernel": 5},
    "ksac": {"encoder": "test_efficientnet", "channels": 16},
    "linknet": {"encoder": "test_resnet"},
    "lraspp": {"encoder": "test_resnet", "channels": 16},
    "manet": {"encoder": "test_efficientnet", "channels": (16, 16, 8, 8), "attention": 8},
    "maskformer": {"encoder": "test_resnet", "channels": 32, "queries": 6, "layers": 2, "dropout": 0.0},
    "pan": {"encoder": "test_resnet", "channels": 16},
    "pidnet": {"width": 4, "blocks": (2, 1), "context_channels": 8, "head_channels": 8},
    "pspnet": {"encoder": "test_efficientnet", "channels": 16},
    "segformer": {"encoder": "test_mit", "channels": 16},
    "segnext": {"encoder": "test_mscan", "channels": 32, "rank": 4},
    "swiftnet": {"encoder": "test_efficientnet", "channels": 16, "grids": (2, 1)},
    "unet": {"encoder": "test_efficientnet", "channels": (16, 16, 8, 8)},
    "unet_original": {"in_channels": 3, "width": 4},
    "unetplusplus": {"encoder": "test_efficientnet", "channels": (16, 16, 8, 8)},
    "upernet": {"encoder": "test_efficientnet", "channels": 16},
}


def small(name: str, classes: int = 3, **changes: Any) -> SegmentationModel:
    """A registered architecture with small options."""
    model = build(name, classes=classes, **SMALL[name] | changes)
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            # as FCN's scores start; logits that are all zero would pass every comparison
            nn.init.normal_(parameter, std=0.1)
    return model
