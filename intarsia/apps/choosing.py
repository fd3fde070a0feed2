"""Which model a job takes where none is named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia import DEFAULT_MODEL, DEFAULT_MODELS
from intarsia.inference.choosing import Choice, choose_for, look
from intarsia.jobs.plan import Plan
from intarsia.jobs.stores.sources import fetched
from intarsia.jobs.task import Task


def choose_model(plan: Plan) -> tuple[str, Plan]:
    """Choose a model for the sources of a job; its notes, and those of its tasks, then tell why."""
    choice = _choose(plan)
    return choice.model, plan.noting(str(choice))


def _choose(plan: Plan) -> Choice:
    media = plan.media()
    known = next((medium for medium in media if medium.name in DEFAULT_MODELS), None)
    if known is not None:
        return Choice(DEFAULT_MODELS[known.name], f"the bundled one of {known.things}")
    other = next((medium for medium in media if not medium.photographic), None)
    if other is not None:
        return Choice(DEFAULT_MODEL, f"the usual one, as nobody looks at {other.things} before")
    return choose_for(plan.tasks, _look)


def _look(task: Task) -> NDArray[np.uint8]:
    with fetched(task.source) as (source, _):
        return look(source)
