"""When the result of a deferred deep run is there: a worker thread, or a clock that counts frames."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Protocol

import torch
from torch import Tensor

from intarsia.errors import UsageError

Job = Callable[[], Tensor]


class Clock(Protocol):
    """Takes jobs, and says later whether they are finished. A stream has at most one job at a time."""

    def submit(self, job: Job) -> int:
        """Begin a job; the number stands for it."""

    def collect(self, ticket: int, age: int, job: Job) -> Tensor | None:
        """The result of a job that was submitted `age` frames ago, or None while it is not finished."""

    def discard(self, ticket: int) -> None:
        """Forget a job."""


class VirtualClock:
    """Results arrive a fixed number of frames later: deterministic, for tests and for measuring accuracy.

    With a delay of 1 and the policy `Always`, this is Clockwork's pipeline of two stages (section 4.1): the deep part
    works on the frame before while the early layers are on the present one.

    Args:
        delay: frames from the submission to the result, at least 1.
    """

    def __init__(self, delay: int) -> None:
        if delay < 1:
            raise UsageError(f"delay is a number of frames, at least 1, not {delay}")
        self.delay = delay

    def submit(self, job: Job) -> int:
        return 0

    def collect(self, ticket: int, age: int, job: Job) -> Tensor | None:
        return job() if age >= self.delay else None

    def discard(self, ticket: int) -> None:
        pass


class Worker:
    """Jobs run on a thread of their own while the stream goes on; many streams may share one worker."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="intarsia-deep")
        self._jobs: dict[int, Future[Tensor]] = {}
        self._tickets = count(1)

    def submit(self, job: Job) -> int:
        ticket = next(self._tickets)
        # torch's modes belong to a thread
        inference, grad = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

        def run() -> Tensor:
            with torch.inference_mode(inference), torch.set_grad_enabled(grad):
                return job()

        self._jobs[ticket] = self._pool.submit(run)
        return ticket

    def collect(self, ticket: int, age: int, job: Job) -> Tensor | None:
        if ticket not in self._jobs:
            return job()  # the state comes from another process
        if not self._jobs[ticket].done():
            return None
        return self._jobs.pop(ticket).result()

    def discard(self, ticket: int) -> None:
        if ticket in self._jobs:
            self._jobs.pop(ticket).cancel()

    def close(self) -> None:
        """Wait for the running job, drop the others."""
        self._jobs.clear()
        self._pool.shutdown(cancel_futures=True)
