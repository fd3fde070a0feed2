"""Routes, one file a family."""

from intarsia.serving.routes import convert, health, interactive, kserve, labelstudio, models, segment, studio

ROUTERS = (
    health.router,
    models.router,
    segment.router,
    interactive.router,
    convert.router,
    kserve.router,
    labelstudio.router,
    studio.router,
)
"""Every family, in the order of the documentation."""
