"""Results: what every prediction returns, whatever the medium, and how labels are drawn."""

from intarsia.result.cloud import CloudSegmentation
from intarsia.result.contract import Result
from intarsia.result.picture import Segmentation
from intarsia.result.renders import RENDERS, Render, Style, blend
from intarsia.result.volume import VolumeSegmentation

__all__ = [
    "RENDERS",
    "CloudSegmentation",
    "Render",
    "Result",
    "Segmentation",
    "Style",
    "VolumeSegmentation",
    "blend",
]
