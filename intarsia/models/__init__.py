"""Architectures: build one by name with `build`; list them with `architectures`."""

from intarsia.models.registry import (
    Architecture,
    Penalty,
    SegmentationModel,
    Supervised,
    architecture,
    architectures,
    build,
)

__all__ = [
    "Architecture",
    "Penalty",
    "SegmentationModel",
    "Supervised",
    "architecture",
    "architectures",
    "build",
]
