"""Routes, one file a family."""

from intarsia.serving.routes import convert, health, kserve, labelstudio, models, segment, studio

ROUTERS = (
    health.router,
    models.router,
    segment.router,
    convert.router,
    kserve.router,
    labelstudio.router,
    studio.router,
)
"""Every family, in the order of the documentation."""
