"""Encoders: timm backbones and those that timm lacks, behind one contract; `build_encoder` makes one by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from intarsia.models.encoders.backbones import TimmEncoder
from intarsia.models.encoders.contract import Encoder, require_stage
from intarsia.models.encoders.efficientnet import SMP_EFFICIENTNETS, SmpEfficientNet
from intarsia.models.encoders.mit import MIX_TRANSFORMERS, MixTransformer
from intarsia.models.encoders.mobilenetv2 import MobileNetV2
from intarsia.models.encoders.mobilenetv3 import MobileNetV3Large
from intarsia.models.encoders.mscan import MSCAN, MSCANS
from intarsia.models.encoders.pooled import SMP_POOLED, PooledEncoder
from intarsia.models.encoders.shortlite import ShortLite0

__all__ = ["Encoder", "MixTransformer", "TimmEncoder", "build_encoder", "require_stage"]

_OWN: dict[str, Callable[..., Encoder]] = {
    **{name: partial(MixTransformer, name) for name in MIX_TRANSFORMERS},
    **{name: partial(MSCAN, name) for name in MSCANS},
    **{name: partial(SmpEfficientNet, name) for name in SMP_EFFICIENTNETS},
    **{name: partial(PooledEncoder, name) for name in SMP_POOLED},
    MobileNetV2.name: MobileNetV2,
    MobileNetV3Large.name: MobileNetV3Large,
    ShortLite0.name: ShortLite0,
}


def build_encoder(name: str, **options: Any) -> Encoder:
    """Build an encoder with random weights by the name that recipes use. Nothing is downloaded.

    Args:
        name: a timm model name, ``mit_b0`` to ``mit_b5``, ``mscan_t``, ``_s``, ``_b`` or ``_l``,
            ``torchvision_mobilenet_v2`` or ``_v3_large``, ``efficientnet_lite0_short``, or one of smp's EfficientNets
            (``smp_efficientnet_b0``, ``smp_timm_efficientnet_b0``, ...) or of its networks that pool
            (``smp_densenet121``, ``smp_dpn68``, ``smp_inceptionv4``, ``smp_xception``, ...).
        options: see `TimmEncoder`.

    Raises:
        UsageError: no such name; the message suggests the closest.
        ModelError: the encoder cannot be built with these options.
    """
    return _OWN[name](**options) if name in _OWN else TimmEncoder(name, **options)
