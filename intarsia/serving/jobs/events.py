"""Events: a job followed as it goes on, by server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from intarsia.serving.jobs.runner import Jobs
from intarsia.serving.jobs.store import Job

MEDIA_TYPE = "text/event-stream"
BEAT = 15.0
"""Seconds of silence after which a comment is sent, so that nothing between takes the line for dead."""
LOOK = 0.2
"""Seconds between two looks at a job: changes that come faster are told as one."""

_OVER = ".over"
_ID = re.compile(rf"(\d{{1,9}})({re.escape(_OVER)})?")


def read_seen(said: str) -> tuple[int, bool]:
    """Read the id of the last event that a client saw: rows of the curve, and whether it saw the job end."""
    match = _ID.fullmatch(said)
    return (int(match[1]), match[2] is not None) if match else (0, False)


async def follow(jobs: Jobs, job: Job, seen: int) -> AsyncIterator[str]:
    """Tell the state of a job at once, then each change, until it is over, gone, or the server ends.

    Args:
        jobs: of the server.
        job: that is followed.
        seen: rows of its curve that the client has.

    Yields:
        "state" events with the job, and "curve" events with an epoch of a training each.
    """
    told, silent = -1, 0.0
    yield f"retry: {round(1000 * 10 * LOOK)}\n\n"
    while True:
        over, changes = job.is_over, job.changes
        for row in job.curve[seen:]:
            seen, silent = seen + 1, 0.0
            yield _event("curve", row, str(seen))
        if changes != told:
            told, silent = changes, 0.0
            yield _event("state", jobs.tell(job), f"{seen}{_OVER if over else ''}")
        if over or jobs.stops:
            return
        await asyncio.sleep(LOOK)
        silent += LOOK
        if silent >= BEAT:
            silent = 0.0
            yield ": still there\n\n"


def _event(name: str, data: Any, number: str) -> str:
    return f"event: {name}\nid: {number}\ndata: {json.dumps(data)}\n\n"
