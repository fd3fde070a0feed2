"""Labelbox (labelbox.com): its exports v1 and v2 are read, its import NDJSON is read and written."""

from intarsia.annotations.formats.labelbox.reading import read, sniff
from intarsia.annotations.formats.labelbox.writing import DRAWING, write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    name="labelbox",
    about="Labelbox exports v1 (JSON) and v2 (NDJSON), masks from a local folder; writes its import NDJSON",
    sniff=sniff,
    read=read,
    write=write,
    suffix=".ndjson",
    drawing=DRAWING,
    pictures=True,
)
