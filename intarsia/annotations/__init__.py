"""The annotation tools' files, read into one document, written back, and drawn as label maps."""

from intarsia.annotations.document import (
    AnnotatedImage,
    AnnotatedVideo,
    AnnotationSet,
    Attribute,
    Category,
    Keyframe,
    Shape,
    Track,
)
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.lost import Lost
from intarsia.annotations.raster import InstanceMap, instance_map, rasterize
from intarsia.annotations.tools import open_annotations, write_annotations

__all__ = [
    "AnnotatedImage",
    "AnnotatedVideo",
    "AnnotationSet",
    "Attribute",
    "Category",
    "DrawingRules",
    "InstanceMap",
    "Keyframe",
    "Lost",
    "Shape",
    "Track",
    "instance_map",
    "open_annotations",
    "rasterize",
    "write_annotations",
]
