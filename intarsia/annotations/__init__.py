"""The annotation tools' files, read into one document and drawn as label maps."""

from intarsia.annotations.document import AnnotatedImage, Shape, rasterise

__all__ = ["AnnotatedImage", "Shape", "rasterise"]
