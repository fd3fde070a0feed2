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
    studio.router,  # a page asks for dozens of its files, and each request is compared with what stands before
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
)
"""Every family, in the order of the documentation."""
