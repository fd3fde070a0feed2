"""Routes, one file a family."""

from intarsia.serving.routes import health, kserve, labelstudio, models, segment, studio

ROUTERS = (health.router, models.router, segment.router, kserve.router, labelstudio.router, studio.router)
"""Every family, in the order of the documentation."""
