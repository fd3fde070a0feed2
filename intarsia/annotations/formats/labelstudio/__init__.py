"""Label Studio's JSON: tasks with annotations, also its short form (JSON-MIN) and one file a task; brushes included.

Format: https://labelstud.io/guide/export and https://labelstud.io/guide/predictions
"""

from intarsia.annotations.formats.labelstudio.reading import read, sniff
from intarsia.annotations.formats.labelstudio.writing import DRAWING, write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    "labelstudio",
    "Label Studio JSON: polygons, rectangles, ellipses, brushes, key points",
    sniff,
    read,
    write,
    suffix=".json",
    drawing=DRAWING,
)
