"""Prediction of a large cloud as a job: it takes longer than a request may, and people go on correcting meanwhile."""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from intarsia import DEFAULT_MODELS
from intarsia.inference.clouds import CloudPredictor
from intarsia.jobs.writing.work import Stopped
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds import open_cloud
from intarsia.result import CloudSegmentation
from intarsia.serving.engine import Engine
from intarsia.serving.jobs.kinds import Kind, Outcome, Work
from intarsia.serving.jobs.loaded import Loaded
from intarsia.serving.project.clouds import Cloud, Clouds, Rules
from intarsia.serving.project.current import Current
from intarsia.serving.project.project import Project

PREDICT = "predict-cloud"
"""The kind of job."""


class Spec(BaseModel):
    """What such a job is told.

    Attributes:
        item: the cloud's id.
        model: that predicts.
        locked: classes whose points stay.
        only: the one class whose points change; None: all.
        visible: the classes that are shown, others stay; None: all.
    """

    model_config = ConfigDict(extra="forbid")

    item: str
    model: str
    locked: list[int] = Field(default_factory=list)
    only: int | None = None
    visible: list[int] | None = None

    @property
    def rules(self) -> Rules:
        """Which points may change."""
        return Rules(frozenset(self.locked), self.only, None if self.visible is None else frozenset(self.visible))


def usual_classes(engine: Engine) -> LabelSpace | None:
    """The classes of the usual model of clouds, for projects without classes of their own; None without it."""
    name = DEFAULT_MODELS["cloud"]
    return engine.description(name).space if name in engine.names else None


def predicting(current: Current, loaded: Loaded) -> Kind:
    """The kind of job that predicts a cloud of the server's project.

    Args:
        current: the project.
        loaded: the models of jobs.
    """

    def run(work: Work) -> Outcome:
        spec, project = Spec.model_validate(work.spec), current.get()
        clouds = Clouds(project, partial(usual_classes, loaded.engine))
        cloud, predictor = clouds.open(spec.item), loaded.load(spec.model).of_clouds(spec.model)
        before = cloud.labels.read().labels.copy()
        result = _segmented(work, predictor, cloud)
        clouds.adopt(result.space)
        changed = taken(project, cloud, result, spec.rules, before)
        left = project.classes.lacks(result.space)
        lacking = (f"the project lacks the model's classes {', '.join(left)}: they are left out",) if left else ()
        return Outcome(notes=(f"{changed:,} points changed", *result.notes, *lacking))

    return Kind(PREDICT, "Predict a point cloud of the studio's project", run)


def _segmented(work: Work, predictor: CloudPredictor, cloud: Cloud) -> CloudSegmentation:
    def told(done: int, total: int) -> None:
        if work.stop():
            raise Stopped
        work.tell("progress", {"what": "predicting", "done": done, "total": total})

    found: CloudSegmentation = predictor.segment(open_cloud(cloud.path), progress=told)
    return found


def taken(project: Project, cloud: Cloud, result: CloudSegmentation, rules: Rules, before: LabelArray) -> int:
    """Take a prediction over, but for the points that somebody changed meanwhile.

    Args:
        project: of the cloud.
        cloud: that was predicted.
        result: what was found.
        rules: which points may change.
        before: (N,) labels when the prediction began.

    Returns:
        How many points changed.

    Raises:
        Conflict: somebody changes labels at this very moment.
    """
    now, space = cloud.labels.read(), project.classes
    labels = space.lookup_from(result.space)[result.labels]
    found: LabelArray = np.where(now.labels == before, labels, space.space.ignore_index).astype(space.space.dtype)
    return len(cloud.take(found, rules, now.revision, space.space).which)
