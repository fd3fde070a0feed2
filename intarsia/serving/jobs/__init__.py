"""Jobs of the server: long work that goes on beside the answers, and outlives the server."""

from intarsia.serving.jobs.kinds import Kind, Outcome, Work
from intarsia.serving.jobs.runner import Jobs
from intarsia.serving.jobs.store import Job

__all__ = ["Job", "Jobs", "Kind", "Outcome", "Work"]
