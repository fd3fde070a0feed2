"""Try-on: a garment on a photo in another colour, cloth or print; everything else stays as it is, bit for bit."""

from intarsia.apps.tryon.wearing import MEDIA, TRIED_ON, TryingOn, TryOn, try_on, wear
from intarsia.apps.tryon.wish import GARMENTS, Wish

__all__ = ["GARMENTS", "MEDIA", "TRIED_ON", "TryOn", "TryingOn", "Wish", "try_on", "wear"]
