"""Runs of claims in worker processes of one thread each."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import NamedTuple

from benchmarks.claims.claim import Claim
from benchmarks.claims.results import Run


class Task(NamedTuple):
    """One run that is still to be made."""

    claim: str
    arm: str
    seed: int


def measure(task: Task) -> Run:
    """Make one run, in a worker process."""
    began = time.process_time()  # which other load on the machine hardly touches
    claim: Claim = importlib.import_module(f"{__package__}.{task.claim.replace('/', '.')}").CLAIM
    assert claim.measure is not None, f"{task.claim} has nothing to run"
    measures = claim.measure(task.arm, task.seed)
    return Run(task.arm, task.seed, measures, round(time.process_time() - began, 1))


def run(todo: list[Task], workers: int, until: float) -> Iterator[tuple[Task, Run | Exception]]:
    """Make runs by worker processes of one thread each, beginning none after `until` (monotonic seconds)."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the workers when they start
    waiting, running = list(todo), dict[Future[Run], Task]()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while waiting or running:
            if time.monotonic() > until:
                waiting.clear()
            while waiting and len(running) < workers:
                task = waiting.pop(0)
                running[pool.submit(measure, task)] = task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task, error = running.pop(future), future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                yield task, error or future.result()
