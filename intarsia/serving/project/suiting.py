"""Which model predicts an item when nobody names one; none is better than one that was made for other things."""

from __future__ import annotations

from intarsia.inference.choosing import CHOICES
from intarsia.serving.engine import Engine
from intarsia.serving.project.items import Found
from intarsia.serving.project.project import Project
from intarsia.serving.project.shown import shown_as

LOOK = ""
"""Stands for the model that a look at the picture chooses."""


def usual_model(project: Project, engine: Engine, started: str | None, item: Found) -> str | None:
    """Name the model that predicts an item.

    It is the one that learnt from this project last, else the one that the server was started with, where they were
    made for such items; of photos and videos else what a look says.

    Args:
        project: that the item is of.
        engine: with the models.
        started: name of the model that the server was started with; None where nobody named one.
        item: what shall be predicted.

    Returns:
        A model, or `LOOK`; None where no model is for such items: the bundled ones know no scans and no maps.
    """
    for name in (project.learnt.newest(), started):
        if name is not None and engine.description(name).preprocessing.is_for(item.medium):
            return name
    return LOOK if shown_as(item).photographic else None


def that_knows(project: Project, engine: Engine, model: str) -> str:
    """Name the model of pictures that knows most of a project's classes, if those are settled and this one knows none.

    Args:
        project: whose classes count.
        engine: with the models.
        model: that a look at the picture chose.

    Returns:
        The same model where it knows any, or no other does; of equal ones one that looks choose.
    """
    own = set(project.space.names)

    def shared(name: str) -> int:
        description = engine.description(name)
        return len(own & set(description.space.names)) if description.preprocessing.is_for("picture") else 0

    if shared(model) or not project.is_settled:
        return model
    best = max(sorted(engine.names, key=lambda name: name not in CHOICES), key=shared)
    return best if shared(best) else model
