"""Driving: road, free space, vehicles, people and lane markings as a camera behind a windscreen sees them."""

from intarsia.apps.drive.camera import Camera
from intarsia.apps.drive.driver import Driver, drive_render
from intarsia.apps.drive.scene import Scene

__all__ = ["Camera", "Driver", "Scene", "drive_render"]
