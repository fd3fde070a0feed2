"""Run a job on an engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

from intarsia.errors import DataError, UsageError
from intarsia.jobs import JobOptions, JobResult, Manifest, Plan, Record, Task
from intarsia.jobs.doing import blank
from intarsia.jobs.forecast import check_memory
from intarsia.jobs.manifest import fingerprint
from intarsia.jobs.opening import open_manifest
from intarsia.jobs.parts import Parts, not_cut
from intarsia.jobs.resuming import JobPredictor, as_begun, is_skipped, prepared, settled
from intarsia.jobs.running import check
from intarsia.scaling.desks import open_desk
from intarsia.scaling.driver import Driver
from intarsia.scaling.engines import Engine, Local
from intarsia.scaling.local import LocalPool
from intarsia.scaling.pool import Pool
from intarsia.scaling.terms import Order, Terms
from intarsia.threads import cores

_PLAIN = JobOptions()


def run_on(
    engine: Engine,
    predictor: JobPredictor,
    make: Callable[..., JobPredictor],
    plan: Plan,
    *,
    options: JobOptions = _PLAIN,
    overwrite: bool = False,
    stop: Callable[[], bool] = lambda: False,
    finished: Callable[[int, int, Record], None] | None = None,
    tell: Callable[[str], None] = lambda said: None,
) -> JobResult:
    """Do all tasks of a plan by many workers; see `jobs.run_all`, whose outputs, names and lines these are.

    Every worker holds one predictor. It claims a task, writes the outputs under temporary names, renames them and adds
    a line to a log of its own; when the job ends, or the next one begins, these lines are moved to ``manifest.jsonl``.
    A worker that dies is replaced, and its tasks are done by others; a task that ends its worker twice gets a line that
    says so. The job can be continued by any engine, and by `jobs.run_all`.

    A script that calls this needs ``if __name__ == "__main__":``, as all do that start processes.

    Args:
        engine: where the workers are.
        predictor: made by `make`; decides the runtime and the precision of all workers.
        make: makes a worker's predictor: a function of a module, or a partial of one, for instance
            ``functools.partial(intarsia.load, "street")``. Where the precision was left open, it is called with
            ``runtime`` and ``precision``.
        plan: see `jobs.plan`; into a folder.
        options: of the job.
        overwrite: replace outputs that exist already, and do everything again.
        stop: asked again and again; when it says True, workers leave what they are at.
        finished: called after each task with the number of finished ones, the number of all, and the task's record.
        tell: called with why a large source is not shared by workers that have nothing else to do, in a sentence.

    Raises:
        UsageError: the job cannot be given to other processes, or `run_all` would refuse it.
        DataError: the disk is full, a machine does not have the folder, or a source needs more memory than there is.
        ModelError: workers cannot begin.
    """
    manifest = open_manifest(plan)
    if manifest is None:
        raise UsageError("many workers need a folder for their results: -o FOLDER")
    made, is_free = not plan.folder.exists(), predictor.is_free
    manifest.gather()
    if not overwrite:
        predictor = as_begun(predictor, plan, manifest)
    check(predictor, plan, options)
    result = JobResult()
    todo = result.skip(plan, lambda task: is_skipped(predictor, task, plan, manifest, options, overwrite))
    for task in todo.tasks:
        Order.of(task)
    if isinstance(engine, Local):
        check_memory(predictor, todo, options, workers=engine.workers)
    result.stopped = stop()
    if not todo.tasks or result.stopped:
        result.forget_parts(plan, options)
        manifest.tidy()
        return result
    desk = open_desk(manifest, plan.folder, made)
    identity = predictor.identity()
    if is_free:  # no worker chooses again, by a measurement of its own
        make = partial(make, runtime=identity.runtime["name"], precision=identity.runtime["precision"])
    cut = partial(Parts(plan.folder, options).of, predictor) if plan.store is None else _in_store
    terms = Terms(make, identity, options, overwrite, os.getcwd(), str(plan.place), desk.sign, _threads(engine))
    quarantine = partial(_give_up, predictor, desk.manifest, options)
    try:
        with _pool(engine, terms) as pool:
            for outcome in Driver(pool, todo.tasks, quarantine, stop, partial(cut, tell=tell)).outcomes():
                result.add(outcome)
                if outcome.record is not None and finished is not None:
                    finished(len(result.skipped) + len(result.records), len(plan.tasks), outcome.record)
    except BaseException:
        with suppress(DataError):  # of a disk that is full, what made it so is told
            desk.end()
        raise
    result.forget_parts(plan, options)
    desk.end()
    result.stopped = result.stopped or stop()
    return result


def _in_store(task: Task, workers: int, tell: Callable[[str], None]) -> list[Task]:
    """Cut nothing: a store has no place for parts that are in work."""
    tell(not_cut(task, "results go to an object store; name a folder (-o OUT) to have it shared"))
    return []


def _give_up(
    predictor: JobPredictor, manifest: Manifest, options: JobOptions, task: Task, reason: str
) -> Record | None:
    """Add the line of a task that ends whoever does it; None where another job is at it, and will find out."""
    with manifest.claim(task) as free:
        if not free:
            return None
        decided = settled(prepared(predictor, task.medium, options), options)
        line = blank(task) | decided.to_json() | {"input": fingerprint(task.source)}
        record = line | {"status": "error", "error": f"{task.source}: {reason}"}
        manifest.add(record)
        return record


def _threads(engine: Engine) -> int:
    """The threads of one predictor: the cores of this machine shared out; on a cluster, one core a worker."""
    return max(1, cores() // engine.workers) if isinstance(engine, Local) else 1


def _pool(engine: Engine, terms: Terms) -> AbstractContextManager[Pool]:
    if isinstance(engine, Local):
        return LocalPool(terms, engine.workers)
    from intarsia.scaling.on_ray import RayPool

    return RayPool(terms, engine)
