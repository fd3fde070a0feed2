"""Clicks that correct labels: each moves one region to a class, and starts from what is there."""

from intarsia.inference.clicks.own import OwnClicks
from intarsia.inference.clicks.session import METHODS, Changed, ClickSession
from intarsia.inference.clicks.view import ClickModel, View

__all__ = ["METHODS", "Changed", "ClickModel", "ClickSession", "OwnClicks", "View"]
