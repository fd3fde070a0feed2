"""Architectures: build one by name with `build`; list them with `architectures`."""

from intarsia.models.registry import Architecture, SegmentationModel, Supervised, architecture, architectures, build

__all__ = ["Architecture", "SegmentationModel", "Supervised", "architecture", "architectures", "build"]
