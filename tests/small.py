"""Every registered architecture in a form small enough for a test."""

from typing import Any

from intarsia.models import SegmentationModel, build

# Options that make each architecture small; one without an entry fails the sweep.
SMALL: dict[str, dict[str, Any]] = {
    "deeplabv3plus": {"encoder": "test_efficientnet", "channels": 16},
    "unet": {"encoder": "test_efficientnet", "channels": (16, 16, 8, 8)},
}


def small(name: str, classes: int = 3, **changes: Any) -> SegmentationModel:
    """A registered architecture with small options."""
    return build(name, classes=classes, **SMALL[name] | changes)
