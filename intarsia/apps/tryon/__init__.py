"""Try-on: a garment on a photo in another colour, cloth or print; everything else stays as it is, bit for bit."""

from intarsia.apps.tryon.wearing import GARMENTS, MEDIA, TRIED_ON, TryingOn, TryOn, Wish, try_on, wear

__all__ = ["GARMENTS", "MEDIA", "TRIED_ON", "TryOn", "TryingOn", "Wish", "try_on", "wear"]
