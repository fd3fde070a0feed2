"""Test the claims of the field's papers: run what has no result yet, and write docs/claims.md from the results.

Each run, an arm of a claim with a seed, is kept as soon as it is done: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.claims import results
from benchmarks.claims.claim import Claim, claims
from benchmarks.claims.page import PAGE, page
from benchmarks.claims.results import RESULTS, Runs
from benchmarks.claims.running import Task, run
from intarsia.errors import UsageError, suggest
from intarsia.files import write_text


def chosen(names: list[str]) -> dict[str, Claim]:
    """The claims of these names, or all, those first that take the least time.

    Raises:
        UsageError: there is no such claim.
    """
    known = claims()
    for name in names:
        if name not in known:
            raise UsageError(f"no claim is named {name!r}.{suggest(name, known)}")
    return dict(sorted(((name, known[name]) for name in names or known), key=lambda item: item[1].minutes))


def tasks(wanted: dict[str, Claim], done: dict[str, Runs]) -> list[Task]:
    """What has no result yet; of a claim all arms of a seed before the next seed."""
    return [
        Task(name, arm, seed)
        for name, claim in wanted.items()
        for seed in claim.seeds
        for arm in claim.arms
        if not done[name].has(arm, seed)
    ]


def minutes_left(claim: Claim, done: Runs) -> float:
    """One core's time for what has no result yet, by what was measured, else by what the claim says."""
    runs = [(arm, seed) for seed in claim.seeds for arm in claim.arms]
    planned = 60 * claim.minutes / max(len(runs), 1)
    took = {run.arm: run.seconds for run in done.runs}
    return sum(took.get(arm, planned) for arm, seed in runs if not done.has(arm, seed)) / 60


def show_plan(wanted: dict[str, Claim], done: dict[str, Runs], workers: int) -> None:
    """Print what is to be run, and how long that takes."""
    total = 0.0
    for name, claim in wanted.items():
        left = minutes_left(claim, done[name])
        total += left
        count = len(claim.arms) * len(claim.seeds)
        print(f"{name:32} {len(done[name].runs):3} of {count:3} runs are there, {left:5.1f} minutes left")
    print(f"{total:.0f} minutes of one core, {total / workers:.0f} on {workers}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="claims, such as pictures/fcn_skips; default: all")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs at a time; default: the cores")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--plan", action="store_true", help="say what would be run, and how long it takes")
    parser.add_argument("--page", action="store_true", help="write docs/claims.md from the results there are")
    options = parser.parse_args()
    try:
        wanted = chosen(options.names)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    done = {name: results.read(name, claim.budget, options.results) for name, claim in wanted.items()}
    failed = 0
    if not options.page:
        show_plan(wanted, done, options.workers)
    if not options.page and not options.plan:
        until = time.monotonic() + 60 * options.minutes
        for task, made in run(tasks(wanted, done), options.workers, until):
            stamp = f"{time.strftime('%H:%M:%S')} {task.claim} {task.arm} {task.seed}"
            if isinstance(made, Exception):
                failed += 1
                print(f"{stamp}: {type(made).__name__}: {made}", file=sys.stderr, flush=True)
                continue
            done[task.claim].runs.append(made)
            results.write(task.claim, done[task.claim], options.results)
            shown = " ".join(f"{name}={value:.4f}" for name, value in made.measures.items())
            print(f"{stamp}: {shown} ({made.seconds:.0f} s)", flush=True)
    if not options.plan:
        write_text(PAGE, page(options.results))
        print(f"wrote {PAGE}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
