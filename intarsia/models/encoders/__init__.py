"""Encoders: timm backbones and those that timm lacks, behind one contract; `build_encoder` makes one by name."""

from __future__ import annotations

from typing import Any

from intarsia.models.encoders.backbones import TimmEncoder
from intarsia.models.encoders.contract import Encoder, require_stage

__all__ = ["Encoder", "TimmEncoder", "build_encoder", "require_stage"]


def build_encoder(name: str, **options: Any) -> Encoder:
    """Build an encoder with random weights by the name that recipes use. Nothing is downloaded.

    Args:
        name: a timm model name.
        options: see `TimmEncoder`.

    Raises:
        UsageError: no such name; the message suggests the closest.
        ModelError: the encoder cannot be built with these options.
    """
    return TimmEncoder(name, **options)
