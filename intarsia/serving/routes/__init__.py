"""Routes, one file a family."""

from intarsia.serving.routes import (
    clouds,
    composite,
    convert,
    health,
    interactive,
    jobs,
    kserve,
    labelstudio,
    learning,
    models,
    project,
    projectclouds,
    samples,
    segment,
    studio,
)

ROUTERS = (
    health.router,
    models.router,
    segment.router,
    interactive.router,
    clouds.router,
    composite.router,
    jobs.router,
    project.router,
    projectclouds.router,
    learning.router,
    samples.router,
    convert.router,
    kserve.router,
    labelstudio.router,
    studio.router,
)
"""Every family, in the order of the documentation."""
