"""Calls: requests on their way through the engine, and what becomes of one that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from intarsia.serving.stages import Stages

T = TypeVar("T")


class GivenUp(Exception):
    """Work that nobody waits for any more."""


@dataclass
class Call:
    """One request on its way through the engine.

    Attributes:
        request: of the client; None: nobody can leave.
        stages: where its time goes.
        left: set when nobody waits for it any more.
        running: what a thread does for it, or did last; it is not stopped at once when nobody waits any more.
    """

    request: Request | None = None
    stages: Stages = field(default_factory=Stages)
    left: threading.Event = field(default_factory=threading.Event)
    running: Future[Any] | None = None

    def after(self, function: Callable[[], Any]) -> None:
        """Call a function as soon as no thread works for this request any more: now, or on that thread."""
        if self.running is None:
            function()
        else:
            self.running.add_done_callback(lambda _: function())

    def check(self) -> None:
        """Raise `GivenUp` when nobody waits for it any more; asked between two steps of long work."""
        if self.left.is_set():
            raise GivenUp


async def unless_left(call: Call, work: asyncio.Future[T]) -> T:
    """Await work; `GivenUp` as soon as the client is seen to have left."""
    request = call.request
    if request is None:
        return await work
    gone: asyncio.Future[None] = asyncio.ensure_future(_leaves(request))
    futures: set[asyncio.Future[Any]] = {work, gone}
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise GivenUp
    finally:
        for future in futures:
            if not future.done():  # of one that is, a second look would forget where its error came from
                future.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await future


async def _leaves(request: Request) -> None:
    """Wait until the client of a request, whose body was read, leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
