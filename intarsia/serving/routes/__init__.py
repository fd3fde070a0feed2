"""Routes, one file a family."""

from intarsia.serving.routes import health, models, segment, studio

ROUTERS = (health.router, models.router, segment.router, studio.router)
"""Every family, in the order of the documentation."""
