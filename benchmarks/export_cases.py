"""What `benchmarks/export.py` translates: every registered network, and those with unusual settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from intarsia.models import architecture, architectures_by_medium

ENCODER = "efficientnet_lite0"
_TINY = "test_efficientnet"  # for what concerns decoders
CLASSES = 5
_DILATED = ("deeplabv3", "deeplabv3plus", "fcn", "ksac", "lraspp", "pan", "pspnet")
_ENCODERS = (
    "mobilenetv3_small_100", "tf_efficientnet_b0", "tf_mobilenetv3_small_100", "mobilenetv4_conv_small", "resnet18",
    "resnet26d", "resnext50_32x4d", "seresnet50", "skresnet18", "res2net50_26w_4s", "densenet121", "dpn68", "vgg11_bn",
    "xception41", "hrnet_w18_small", "regnety_002", "rexnet_100", "ghostnet_100", "mobileone_s0", "repvgg_a0",
    "convnext_atto", "convnextv2_atto", "edgenext_xx_small", "poolformer_s12", "coat_lite_tiny", "coatnet_pico_rw_224",
    "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "twins_svt_small", "pvt_v2_b0", "efficientformer_l1",
    "efficientvit_b0", "fastvit_t8", "focalnet_tiny_srf", "mambaout_femto", "nfnet_l0", "maxvit_pico_rw_256",
    "mobilevit_xxs", "inception_next_atto", "starnet_s1", "repvit_m1", "mit_b0", "mscan_t",
    "torchvision_mobilenet_v3_large",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One network.

    Attributes:
        architecture: its registered name.
        options: of the architecture.
        classes: of the logits.
        is_usual: whether it stands for its architecture.
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    classes: int = CLASSES
    is_usual: bool = False

    @property
    def name(self) -> str:
        """What it is called in tables."""
        given = {key: value for key, value in self.options.items() if value not in (ENCODER, _TINY)}
        told = [f"{key}={value}" for key, value in given.items() if not isinstance(value, dict)]
        if self.classes != CLASSES:
            told.append(f"{self.classes} classes")
        return " ".join([self.architecture, *told])


def usual() -> list[Case]:
    """One of every registered architecture that is a network."""
    media = architectures_by_medium()
    names = [name for medium in ("image", "video", "cloud") for name, found in media[medium].items()]
    return [_over(ENCODER, name, is_usual=True) for name in names if not architecture(name).fitted]


def unusual() -> list[Case]:
    """Output strides, encoders, numbers of classes and of channels, auxiliary heads, and other choices."""
    cases = [_small(name, output_stride=8) for name in _DILATED]
    cases += [_small(name, output_stride=32) for name in ("deeplabv3plus", "pspnet", "unet")]
    cases += [Case("deeplabv3plus", {"encoder": encoder, "output_stride": 8}) for encoder in ("resnet26d", "nfnet_l0")]
    cases += [Case("unet", {"encoder": encoder}) for encoder in _ENCODERS]
    names = [name for name, found in architectures_by_medium()["image"].items() if not found.fitted]
    for name, (classes, channels) in zip(names, cycle([(1, 1), (150, 6)])):
        cases.append(_small(name, classes=classes, in_channels=channels))
    return [
        *cases,
        _small("segformer", in_channels=4),
        _small("deeplabv3plus", in_channels=4),
        _small("deeplabv3plus", align_corners=True, image_pooling=False, multi_grid=(1, 2, 4)),
        _small("deeplabv3plus", dilate_first_block=True, output_stride=8, separable=False),
        _small("deeplabv3", auxiliary=16, post_conv=True, align_corners=True),
        _small("pspnet", deepest=16, global_norm=False, auxiliary=16, align_corners=True),
        _small("pspnet", output_stride=32, deepest=32, join_kernel=1),
        _small("fcn8s", learned_upsampling=True),
        _small("fcn32s", padding=1),
        _small("fpn", merge="cat", up="bilinear"),
        _small("ksac", fuse="cat"),
        _small("gcn", refine=False, up="bilinear", kernel=7),
        _small("unet", up="deconv", center=True, head_kernel=3),
        _small("unet", up="nearest"),
        _small("unet", output_stride=8, channels=[64, 32]),  # its encoder has no more maps to join
        _small("unet_original", padding="same", norm=True, width=16),
        _small("unet_original", padding="valid", width=16),
        _small("swiftnet", grids=(6, 3, 2, 1), finest=4, separable=True),
        _small("upernet", auxiliary=8),
        _small("deeplabv2", scales=(1.0,), rates=(6,)),
        _small("manet", up="bilinear"),
        _small("unetplusplus", up="bilinear"),
        Case("eomt", {"masked": False, "queries": 10, "blocks": 2}),
        Case("eomt", {"encoder": "vit_tiny_patch16_224", "queries": 7}),
        _small("maskformer", queries=3, layers=1),
    ]


def _small(name: str, *, classes: int = CLASSES, **changes: Any) -> Case:
    """An architecture over a tiny encoder: quickly translated, and its decoder whole."""
    narrow = {"base": 16, "width": 64} if "base" in architecture(name).options else {}
    return _over(_TINY, name, classes=classes, **narrow | changes)


def _over(encoder: str, name: str, *, classes: int = CLASSES, is_usual: bool = False, **changes: Any) -> Case:
    """An architecture over an encoder, if it has one to choose."""
    known = architecture(name).options
    options: dict[str, Any] = {}
    if "image_options" in known:
        options["image_options"] = {"encoder": encoder}
    elif "encoder" in known and name not in ("eomt", "segformer", "segnext"):
        options["encoder"] = encoder
    return Case(name, options | changes, classes, is_usual)
