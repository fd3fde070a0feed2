"""Learning from what was corrected: one function that any runner of jobs can call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from intarsia import DEFAULT_MODEL, DEFAULT_MODELS
from intarsia.bundle import Description
from intarsia.errors import DataError, UsageError
from intarsia.recipe import Recipe
from intarsia.serving.engine import Engine
from intarsia.serving.jobs.kinds import Kind, Outcome, Tell, Work
from intarsia.serving.project.apart import Lesson, train_apart
from intarsia.serving.project.cloudpublishing import publish_clouds
from intarsia.serving.project.current import Current
from intarsia.serving.project.kinds import in_words, kinds_of
from intarsia.serving.project.project import Project
from intarsia.serving.project.publishing import VOLUMES
from intarsia.serving.project.shown import Things
from intarsia.stopping import Stop, never
from intarsia.zoo import find_bundle

How = Literal["scribbles", "finetune", "recipe"]
TRAIN = "train"
"""The kind of job."""
HOWS: dict[How, str] = {
    "scribbles": "A random forest, from a few strokes, in seconds",
    "finetune": "A network that is there already goes on with these pictures",
    "recipe": "A new network, by a recipe that suits these pictures",
}
_SCRIBBLED: dict[Things, list[str]] = {"picture": [], "volume": ["input.slices=3"]}
"""What a forest learns from, and the recipe keys that change for it: of a scan it sees each slice between its two."""
_FEW = 5  # pictures; of so few none is held back to measure on
_EPOCHS, _RATE = 20, 0.5  # of fine-tuning; the rate as a share of that of the model's own recipe


def training(engine: Engine, current: Current) -> Kind:
    """The kind of job that learns from the server's project; its model joins the others."""

    def run(work: Work) -> Outcome:
        spec, project = work.spec, current.get()
        kind, left = chosen(project, spec.get("kind"))
        best = train_job(
            project, spec["how"], work.folder.out, kind=kind, recipe=spec["recipe"], base=spec["base"], stop=work.stop,
            tell=work.tell,
        )  # fmt: skip
        name, path = project.learnt.keep(spec["name"], best, taken=engine.names)
        engine.add(name, path)
        files = tuple(file for file in (best.name, "report.html") if (work.folder.out / file).exists())
        return Outcome(notes=(f"the model is named {name}", *([left] if left else [])), files=files)

    return Kind(TRAIN, "Learn from what was corrected in the studio", run)


def chosen(project: Project, kind: Things | None) -> tuple[Things, str]:
    """Choose what is learnt from, as a model learns from one kind of thing.

    Args:
        project: what was corrected.
        kind: the wish; None: pictures if any are labelled, else scans, else clouds.

    Returns:
        The kind, and a sentence on what is left out; "" if that is nothing.

    Raises:
        DataError: nothing is labelled, or nothing of this kind.
    """
    labelled = kinds_of(project, project.labelled())
    if kind is not None and kind not in labelled:
        raise DataError(f"nothing of the kind {kind} is labelled, only {in_words(labelled)}")
    found: Things = next(iter(labelled)) if kind is None else kind
    others = {one: names for one, names in labelled.items() if one != found}
    if not others:
        return found, ""
    ways = " or ".join(f"kind={one}" for one in others)
    return found, f"{in_words(others)} left out: a model learns from one kind of thing; learn from them by {ways}"


def check(project: Project, how: How, base: str | None, kind: Things | None = None) -> None:
    """Refuse, before it is promised, what cannot be learnt.

    Raises:
        UsageError: the model cannot go on, or the way is not for what is labelled.
        DataError: nothing is labelled.
    """
    if how == "finetune" and base is not None:
        going_on(base)
    found, _ = chosen(project, kind)
    if how == "scribbles" and found not in _SCRIBBLED:
        raise UsageError(f"scribbles are learnt from pictures and scans; for a {found} choose finetune or recipe")


def train_job(
    project: Project,
    how: How,
    folder: Path,
    *,
    kind: Things | None = None,
    recipe: str | None = None,
    base: str | None = None,
    changes: tuple[str, ...] = (),
    stop: Stop = never,
    tell: Tell = lambda kind, value: None,
) -> Path:
    """Train a model on everything in a project that has labels, in a process of its own.

    Args:
        project: what was corrected.
        how: one of `HOWS`.
        folder: run folder; a training that was begun in it goes on.
        kind: what is learnt from; see `chosen`.
        recipe: of "recipe": a bundled one; None takes what suits the data.
        base: of "finetune": the model that goes on, a bundled name or a file.
        changes: recipe keys to change, as for `intarsia.train`.
        stop: asked after each step; true ends the training.
        tell: told progress, and the curve epoch by epoch.

    Returns:
        The best bundle.

    Raises:
        UsageError: no such way, recipe or model, or the model cannot go on.
        DataError: nothing is labelled, or the labels do not suffice.
        ModelError: the model cannot be trained.
        KeyboardInterrupt: it was stopped.
    """
    begun = (folder / "checkpoints").exists()
    kind, _ = chosen(project, kind)
    data = _data(project, kind, tell)
    few = len(kinds_of(project, project.labelled())[kind]) < _FEW
    used: Recipe | str | None = recipe
    every = [f"data.ignore=[{project.space.ignore_index}]", *(["data.val=train"] if few else [])]
    if how == "scribbles":
        used = "scribbles"
        every += _SCRIBBLED.get(kind, [])
    elif how == "finetune":
        used = going_on(base or DEFAULT_MODELS.get(kind, DEFAULT_MODEL))
    elif how != "recipe":
        raise UsageError(f"there is no way of learning named {how!r}; there are {', '.join(HOWS)}")
    curve = _Curve(folder / "log.jsonl", tell, itself=few)
    lesson = Lesson(data, folder, used, (*every, *changes), resume=begun)
    return train_apart(lesson, stop=stop, meanwhile=curve.follow)


def _data(project: Project, kind: Things, tell: Tell) -> Path:
    """The folder that is trained on, with what was corrected until now."""

    def told(done: int, total: int) -> None:
        tell("progress", {"what": "labels", "done": done, "total": total})

    return _GATHERING[kind](project, told)


_GATHERING: dict[Things, Callable[[Project, Callable[[int, int], None]], Path]] = {
    "picture": lambda project, told: project.gather(told),
    "volume": lambda project, told: project.gather(told) / VOLUMES,
    "cloud": publish_clouds,
}


def going_on(model: str) -> Recipe:
    """The recipe by which a model goes on learning: its own, from its weights, with fewer and smaller steps.

    Raises:
        UsageError: the model was not trained by a recipe, as converted ones are not.
    """
    path = find_bundle(model)
    description = Description.load(path)
    if not description.recipe:
        raise UsageError(
            f"{Path(model).stem} was converted from a network of others, without what training needs; name a model "
            "that Intarsia trained (street, or one of your own), or learn by a recipe"
        )
    own = Recipe.from_dict(description.recipe)
    optimizer = own.optimizer
    slower = None if optimizer.encoder_lr is None else _RATE * optimizer.encoder_lr
    said = own.said() | {"data": {}, "card": {}}
    return Recipe.from_dict(said, origin=f"the recipe of {model}").override(
        {
            "name": f"{Path(model).stem}-more", "description": f"{Path(model).stem}, which went on with other pictures",
            "model.weights": str(path), "optimizer.lr": _RATE * optimizer.lr, "optimizer.encoder_lr": slower,
            "training.epochs": _EPOCHS, "training.validate_every": 2, "training.batch_size": 2,
        }
    )  # fmt: skip


class _Curve:
    """Tells the rows of a training's log once each, as they come; `itself`: it is measured by what it learns from."""

    def __init__(self, log: Path, tell: Tell, *, itself: bool) -> None:
        self._log, self._tell, self._told, self._size = log, tell, 0, -1
        self._more = {"itself": True} if itself else {}

    def follow(self) -> None:
        """Tell what is new."""
        size = self._log.stat().st_size if self._log.exists() else -1
        if size != self._size:
            self._size = size
            rows = [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]
            for row in rows[self._told :]:
                named = {"epoch": row["epoch"], "loss": row.get("loss"), "miou": row.get("val_miou")}
                once = {"once": True, "pixels": row.get("pixels")} if row.get("loss") is None else {}
                self._tell("curve", named | {"seconds": row.get("seconds")} | once | self._more)
            self._told = len(rows)
