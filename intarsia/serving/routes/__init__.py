"""Routes, one file a family."""

from intarsia.serving.routes import clouds, health, jobs, learning, models, project, segment, studio

ROUTERS = (
    health.router, models.router, segment.router, clouds.router, jobs.router, project.router, learning.router,
    studio.router,
)  # fmt: skip
"""Every family, in the order of the documentation."""
