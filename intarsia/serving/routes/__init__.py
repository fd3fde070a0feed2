"""Routes, one file a family."""

from intarsia.serving.routes import clouds, health, jobs, models, segment, studio

ROUTERS = (health.router, models.router, segment.router, clouds.router, jobs.router, studio.router)
"""Every family, in the order of the documentation."""
