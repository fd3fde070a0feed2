"""Jobs as tests run them: plan and run in one call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from intarsia.jobs import JobOptions, JobResult, plan, run_all


def job(
    predictor: Any, sources: Any, out: Any, *, outputs: Iterable[Any] = (), media: Any = None, **options: Any
) -> JobResult:
    """Run a job; options are those of `run_all` and of `JobOptions`."""
    known = {"media": media} if media else {}
    run = {name: options.pop(name) for name in ("overwrite", "stop", "tell", "finished") if name in options}
    chosen = JobOptions(**options)
    planned = plan(sources, out, outputs=outputs, given=list(chosen.given()), **known)
    return run_all(predictor, planned, options=chosen, **run)


def files(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
