"""Text lines: PAGE XML (github.com/PRImA-Research-Lab/PAGE-XML) and ALTO (loc.gov/standards/alto), read only."""

from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.formats.page.reading import read, sniff
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff"]

TOOL = Tool(
    name="page",
    about="PAGE XML and ALTO: regions, lines, baselines and words of text",
    sniff=sniff,
    read=read,
    write=None,
    suffix=".xml",
    drawing=DrawingRules("inclusive"),
)
