"""Architectures: build one by name with `build`; list them with `architectures`."""
# ruff: noqa: E402

from intarsia.errors import require

require("torch", "train")

from intarsia.models import classical, cloud, image, video  # each registers its architectures
from intarsia.models.contract import ImageModel, Penalty, Queries, SegmentationModel, Supervised, image_model
from intarsia.models.registry import Architecture, architecture, architectures, architectures_by_medium, build

__all__ = [
    "Architecture",
    "ImageModel",
    "Penalty",
    "Queries",
    "SegmentationModel",
    "Supervised",
    "architecture",
    "architectures",
    "architectures_by_medium",
    "build",
    "classical",
    "cloud",
    "image",
    "image_model",
    "video",
]
