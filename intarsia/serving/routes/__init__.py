"""Routes, one file a family."""

from intarsia.serving.routes import health, learning, models, project, segment, studio

ROUTERS = (health.router, models.router, segment.router, project.router, learning.router, studio.router)
"""Every family, in the order of the documentation."""
