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
from intarsia.annotations.losses import Losses
from intarsia.annotations.raster import Drawing, InstanceMap, instance_map, rasterise
from intarsia.annotations.tools import open_annotations, write_annotations
from intarsia.annotations.tools import open_annotations as open

__all__ = [
    "AnnotatedImage",
    "AnnotatedVideo",
    "AnnotationSet",
    "Attribute",
    "Category",
    "Drawing",
    "InstanceMap",
    "Keyframe",
    "Losses",
    "Shape",
    "Track",
    "instance_map",
    "open",
    "open_annotations",
    "rasterise",
    "write_annotations",
]
