"""Every registered architecture in a form small enough for a test."""

from functools import partial
from typing import Any

from torch import nn

from intarsia.models import SegmentationModel, build, encoders
from intarsia.models.encoders import mit, mscan

# `mit_b0` and `mscan_t` with one block a stage, which says as much of the blocks and takes a third of the tracing.
_WIDTHS, _DEPTHS = (32, 64, 160, 256), (1, 1, 1, 1)
mit._VARIANTS["test_mit"] = (_WIDTHS, _DEPTHS)
mscan._VARIANTS["test_mscan"] = (_WIDTHS, _DEPTHS, (8, 8, 4, 4))
encoders._OWN["test_mit"] = partial(mit.MixTransformer, "test_mit")
encoders._OWN["test_mscan"] = partial(mscan.MSCAN, "test_mscan")

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
    "pidnet": {"width": 4, "context_channels": 8, "head_channels": 8},
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
