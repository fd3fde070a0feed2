"""Make-up: lips, hair, skin, eyes and brows of the faces in photos and clips, painted so that their texture stays."""

from intarsia.apps.makeup.look import Look
from intarsia.apps.makeup.opening import make_up, open_makeup
from intarsia.apps.makeup.painting import MADE_UP, MEDIA, MakeUp

__all__ = ["MADE_UP", "MEDIA", "Look", "MakeUp", "make_up", "open_makeup"]
