"""Serving: models over HTTP, and the studio in the browser (extra `serve`)."""

from intarsia.serving.settings import Settings

__all__ = ["Settings"]
