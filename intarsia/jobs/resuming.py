"""Continuing a job: what decides its outputs, what of it is finished, and what must not be replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar

from intarsia.bundle import Description
from intarsia.errors import UsageError, counted
from intarsia.inference import Identity
from intarsia.jobs.lines import earlier_settings
from intarsia.jobs.manifest import Manifest, fingerprint
from intarsia.jobs.plan import Plan
from intarsia.jobs.task import JobOptions, Record, Task
from intarsia.labels import LabelSpace
from intarsia.media.medium import Form, Medium
from intarsia.preprocessing import AnyPreprocessing


class JobPredictor(Protocol):
    """What a job needs of a predictor."""

    bundle: Description
    space: LabelSpace
    given: frozenset[str]
    forms: frozenset[Form]

    @property
    def preprocessing(self) -> AnyPreprocessing: ...
    @property
    def is_free(self) -> bool: ...
    def identity(self) -> Identity: ...
    def at(self, runtime: Mapping[str, Any]) -> Self: ...


P = TypeVar("P", bound=JobPredictor)


def prepared(predictor: Any, medium: Medium, options: JobOptions) -> Any:
    """Make the predictor ready for a medium, with the job's schedule if it has one."""
    return medium.ready(predictor, options.schedule)


def settled(predictor: Any, options: JobOptions) -> Identity:
    """Tell what decides the outputs: the predictor's identity, and the job's options."""
    found: Identity = predictor.identity()
    chosen = {name: value for name, value in options.given().items() if name != "schedule"}
    return Identity(found.model, found.settings | chosen, found.runtime)


def as_begun(predictor: P, plan: Plan, manifest: Manifest) -> P:
    """Give the predictor on the runtime and in the precision in which the job was begun, if they were left open.

    Raises:
        UsageError: it cannot be continued here.
    """
    if not predictor.is_free or not plan.tasks:
        return predictor
    mine = predictor.identity()
    for record in manifest.records():
        begun: Mapping[str, Any] = record.get("runtime") or {}
        if record.get("model") != mine.model or None in (begun.get("name"), begun.get("precision")):
            continue
        if all(begun[key] == mine.runtime[key] for key in ("name", "precision")):
            continue
        try:
            return predictor.at(begun)
        except UsageError as error:
            raise UsageError(
                f"the job in {plan.place} was begun in {begun['precision']} by {begun['name']}: {error}. Finish it "
                "where it was begun, do everything again (--overwrite), or name another folder"
            ) from error
    return predictor


def is_finished(predictor: JobPredictor, task: Task, manifest: Manifest, options: JobOptions) -> bool:
    """Tell whether this model and these settings have made a task's outputs of its source as it is."""
    if not manifest.is_there(task):  # which is quicker to see than a line is to find
        return False
    record = manifest.find(task)
    return record is not None and manifest.is_done(task, record) and not _differences(predictor, task, record, options)


def _differences(predictor: JobPredictor, task: Task, record: Record, options: JobOptions) -> list[str]:
    """What differs between a record and what this job would do, in words."""
    identity = settled(prepared(predictor, task.medium, options), options)
    if not record.get("earlier"):
        return identity.differences(record)
    # Lines of earlier versions hold one checksum, and do not tell the precision.
    same = record.get("model") in (predictor.identity().earlier(), None)
    chosen = {key: value for key, value in options.given().items() if key in ("columns", "category")}
    return [] if same and earlier_settings(record) == chosen else ["the model or its settings"]


def is_skipped(
    predictor: JobPredictor, task: Task, plan: Plan, manifest: Manifest | None, options: JobOptions, overwrite: bool
) -> bool:
    """Tell whether a task was finished before.

    Raises:
        UsageError: an output of it exists that this job must not replace.
    """
    if overwrite:
        return False
    if manifest is not None and is_finished(predictor, task, manifest, options):
        return True
    existing = (manifest or Manifest(plan.folder)).existing(task)
    if not existing or (manifest is not None and manifest.is_begun(task)):
        return False
    if manifest is not None and is_finished(predictor, task, manifest, options):
        return True  # by somebody else, since we looked
    record = None if manifest is None else manifest.find(task)
    if record is not None and record["status"] == "stopped":
        return False
    more = f" and {counted(len(existing) - 1, 'other file')}" if len(existing) > 1 else ""
    raise UsageError(
        f"{existing[0]}{more} exist{'' if more else 's'} already{_why(predictor, task, record, options)}; "
        "overwrite (--overwrite), or name another output"
    )


def _why(predictor: JobPredictor, task: Task, record: Record | None, options: JobOptions) -> str:
    if record is None:
        return ""
    found = _differences(predictor, task, record, options)
    if found:
        return f", made with {', '.join(found)}"
    return ", of a changed source" if record["input"] != fingerprint(task.source) else ", with other outputs"
