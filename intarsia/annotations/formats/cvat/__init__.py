"""CVAT (cvat.ai): its XML 1.1 "for images" and "for video"."""

from intarsia.annotations.formats.cvat.reading import read, sniff
from intarsia.annotations.formats.cvat.writing import DRAWING, write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    name="cvat",
    about="CVAT XML 1.1, for images and for video",
    sniff=sniff,
    read=read,
    write=write,
    suffix=".xml",
    drawing=DRAWING,
)
