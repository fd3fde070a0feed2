"""RectLabel (rectlabel.com): its XML."""

from intarsia.annotations.formats.rectlabel.reading import read, sniff
from intarsia.annotations.formats.rectlabel.writing import DRAWING, write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    name="rectlabel",
    about="RectLabel XML (boxes, polygons, curves and pixels)",
    sniff=sniff,
    read=read,
    write=write,
    suffix="",
    drawing=DRAWING,
    pictures=True,
)
