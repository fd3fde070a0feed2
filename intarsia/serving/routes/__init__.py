"""Routes, one file a family."""

from intarsia.serving.routes import composite, health, models, segment, studio

ROUTERS = (health.router, models.router, segment.router, composite.router, studio.router)
"""Every family, in the order of the documentation."""
