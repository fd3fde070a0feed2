"""Which model predicts an item when nobody names one; none is better than one that was made for other things."""

from __future__ import annotations

from collections.abc import Iterator

from intarsia.annotations.document import BACKGROUND_NAMES
from intarsia.inference.choosing import CHOICES
from intarsia.serving.engine import Engine
from intarsia.serving.project.classes import Classes
from intarsia.serving.project.items import Found
from intarsia.serving.project.project import Project
from intarsia.serving.project.shown import shown_as

LOOK = ""
"""Stands for the model that a look at the picture chooses."""


def usual_model(project: Project, engine: Engine, started: str | None, item: Found) -> str | None:
    """Name the model that predicts an item.

    It is the one that learnt from this project last, else the one that the server was started with, where they were
    made for such items and know any of the classes that somebody chose; of photos and videos else what a look says, if
    any model does.

    Args:
        project: that the item is of.
        engine: with the models.
        started: name of the model that the server was started with; None where nobody named one.
        item: what shall be predicted.

    Returns:
        A model, or `LOOK`; None where no model is for such items: the bundled ones know no scans and no maps, and
        none of the classes that somebody chose may be theirs.
    """
    classes = project.classes
    for name in filter(None, (project.learnt.newest(), started)):
        made_for_it = engine.description(name).preprocessing.is_for(item.medium)
        if made_for_it and not _is_foreign(classes, engine, name):
            return name
    known = shown_as(item).photographic and not all(_is_foreign(classes, engine, name) for name in _of_pictures(engine))
    return LOOK if known else None


def that_knows(project: Project, engine: Engine, model: str) -> str:
    """Name the model of pictures that knows most of a project's classes, if those are settled and this one knows none.

    Args:
        project: whose classes count.
        engine: with the models.
        model: that a look at the picture chose.

    Returns:
        The same model where it knows any, or no other does; of equal ones one that looks choose.
    """
    classes = project.classes
    if _shared(classes, engine, model) or not project.is_settled:
        return model
    names = sorted(_of_pictures(engine), key=lambda name: name not in CHOICES)
    best = max(names, key=lambda name: _shared(classes, engine, name))
    return best if _shared(classes, engine, best) else model


def _of_pictures(engine: Engine) -> Iterator[str]:
    return (name for name in engine.names if engine.description(name).preprocessing.is_for("picture"))


def _is_foreign(classes: Classes, engine: Engine, model: str) -> bool:
    """Whether somebody chose classes of which a model knows none, so that all that it says would be left out."""
    return classes.chosen and not _shared(classes, engine, model)


def _shared(classes: Classes, engine: Engine, model: str) -> int:
    """Count the classes that a model knows; a background says nothing of what is before it."""
    space = engine.description(model).space
    return len({name for name in space.names if name.lower() not in BACKGROUND_NAMES} - set(classes.lacks(space)))
