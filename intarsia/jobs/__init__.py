"""Jobs: sources in, files and records out; they can be continued, shared and stopped."""

from intarsia.jobs.doing import run
from intarsia.jobs.forecast import Forecast, forecast
from intarsia.jobs.manifest import Manifest
from intarsia.jobs.plan import Plan, plan
from intarsia.jobs.running import JobResult, run_all
from intarsia.jobs.task import JobOptions, Record, Task

__all__ = [
    "Forecast",
    "JobOptions",
    "JobResult",
    "Manifest",
    "Plan",
    "Record",
    "Task",
    "forecast",
    "plan",
    "run",
    "run_all",
]
