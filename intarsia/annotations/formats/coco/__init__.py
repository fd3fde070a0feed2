"""COCO's JSON: instances (polygons, run lengths, keypoints) and panoptic (JSON with PNG files).

Format: https://cocodataset.org/#format-data
"""

from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.formats.coco.reading import read, sniff
from intarsia.annotations.formats.coco.writing import write
from intarsia.annotations.tools import Tool

__all__ = ["TOOL", "read", "sniff", "write"]

TOOL = Tool(
    "coco",
    "COCO JSON: polygons, run lengths, boxes, keypoints",
    sniff,
    read,
    write,
    suffix=".json",
    drawing=DrawingRules("coco", "area"),
    exact=True,
)
