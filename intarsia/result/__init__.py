"""Results: what every prediction returns, whatever the medium, and how labels are drawn."""

from intarsia.result.picture import Segmentation
from intarsia.result.renders import blend

__all__ = ["Segmentation", "blend"]
