"""Driving: road, free space, vehicles, people and lane markings as a camera behind a windscreen sees them."""

from intarsia.apps.drive.camera import Camera
from intarsia.apps.drive.driver import Driver, drive_render
from intarsia.apps.drive.scene import Scene
from intarsia.media.medium import PICTURE, VIDEO

__all__ = ["MEDIA", "Camera", "Driver", "Scene", "drive_render"]

MEDIA = (VIDEO, PICTURE)
"""What is driven through."""
