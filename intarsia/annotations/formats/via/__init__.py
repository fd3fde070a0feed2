"""VGG Image Annotator (robots.ox.ac.uk/~vgg/software/via): versions 1, 2 and 3 are read, 2 is written."""

from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.formats.via.reading import read, sniff
from intarsia.annotations.formats.via.writing import write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    name="via",
    about="VGG Image Annotator: JSON, CSV and projects of versions 1 to 3; writes projects of version 2",
    sniff=sniff,
    read=read,
    write=write,
    suffix=".json",
    drawing=DrawingRules("inclusive"),
)
