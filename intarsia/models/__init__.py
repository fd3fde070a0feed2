"""Architectures: build one by name with `build`; list them with `architectures`."""

from intarsia.models.registry import (
    Architecture,
    Place,
    SegmentationModel,
    Supervised,
    architecture,
    architectures,
    build,
)

__all__ = ["Architecture", "Place", "SegmentationModel", "Supervised", "architecture", "architectures", "build"]
