"""Workers that are actors of a Ray cluster.

Plain actors, and not Ray Data's map over batches: which task a worker died at must be known to put it into
quarantine, a retried batch would do its finished tasks again, and results are files and lines, no rows of a table.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from intarsia.errors import DataError, UsageError, require
from intarsia.scaling.engines import OnRay
from intarsia.scaling.pool import Event
from intarsia.scaling.terms import Answer, Order, Terms
from intarsia.scaling.worker import Inbox, Worker
from intarsia.threads import cores

_CALLS = 8  # that an actor answers at once: orders, which wait, and being asked to begin and to stop
_STORE = 100 << 20  # bytes of Ray's store on this machine, through which no picture goes
_CLIENT = "ray[client]"  # what Ray says is not installed
_GRACE = 10.0
_TOKEN = "; where the cluster asks for a token, also set RAY_AUTH_MODE=token"  # a client waits in vain without
_COUNTED = 2.0  # seconds for which the number of cores is taken to be the same


class Actor:
    """What runs in a process of the cluster.

    Args:
        terms: of the job.
        name: of the worker.
    """

    def __init__(self, terms: Terms, name: str) -> None:
        self._terms, self._name = terms, name
        self._inbox = Inbox()
        self._waiting: dict[str, Future[Answer | Exception]] = {}
        self._end: Answer | Exception | None = None
        self._lock = threading.Lock()

    def begin(self) -> str | Exception:
        """Load the model; returns the id of the node, or what went wrong."""
        import ray

        try:
            worker = Worker(self._terms, self._name)
        except Exception as error:
            return error
        threading.Thread(target=self._work, args=(worker,), daemon=True, name="intarsia-work").start()
        return str(ray.get_runtime_context().get_node_id())

    def do(self, order: Order) -> Answer | Exception:
        """Do one task at its turn."""
        with self._lock:
            if self._end is not None:
                return self._end
            found = self._waiting[order.id] = Future()
        self._inbox.put(order)
        return found.result()

    def stop(self) -> None:
        """Leave what is in work."""
        self._inbox.stop()

    def _work(self, worker: Worker) -> None:
        end: Answer | Exception = Answer("", "stopped", None)
        try:
            for answer in worker.answers(self._inbox):
                waiting = self._waiting.pop(answer.id, None)
                if waiting is not None:
                    waiting.set_result(answer)
        except Exception as error:
            end = error
        with self._lock:
            self._end = end
        for left in self._waiting.values():
            left.set_result(end)


class RayPool:
    """Actors of a cluster: one that runs, or one that is started in this process.

    Args:
        terms: of the job.
        engine: the cluster.

    Raises:
        UsageError: Ray, or what its client needs, is not installed.
        DataError: there is no cluster at the address.
    """

    def __init__(self, terms: Terms, engine: OnRay) -> None:
        self._ray: Any = require("ray", "scale")
        self._terms, self._engine = terms, engine
        self._actors: dict[str, Any] = {}
        self._nodes: dict[str, str] = {}
        self._calls: dict[Any, tuple[str, str]] = {}
        self._counted = (0.0, 0)
        self._stopping = False

    def __enter__(self) -> Self:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = self._engine.address or os.environ.get("RAY_ADDRESS") or "local"
        mine: dict[str, Any] = {}
        if address == "local":
            mine = {
                "num_cpus": self._engine.workers or cores(), "include_dashboard": False,
                "_node_ip_address": "127.0.0.1", "object_store_memory": _STORE,
            }  # fmt: skip
        try:
            self._ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **mine)
        except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
            if _CLIENT in str(error):  # Ray itself brings what all else needs
                raise UsageError(
                    f"cannot join a Ray cluster at {address}: Ray's client needs grpcio, which is not installed; it "
                    "comes with: pip install 'intarsia[scale]'. On a machine of the cluster, --on ray with "
                    "RAY_ADDRESS=HOST:PORT does without"
                ) from error
            raise DataError(
                f"cannot join a Ray cluster at {address}: {str(error).splitlines()[0]}. Start one (ray start --head), "
                f"and use the same versions of Ray and Python there{_TOKEN if address.startswith('ray://') else ''}"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        until = time.monotonic() + _GRACE
        self.stop()
        while self._actors and time.monotonic() < until:
            self.events(1.0)
        for name in list(self._actors):
            self._kill(name)
        self._ray.shutdown()

    @property
    def wanted(self) -> int:
        """One worker for each core of the cluster, or as many as the user said."""
        if self._engine.workers is not None:
            return self._engine.workers
        since, count = self._counted
        if time.monotonic() - since > _COUNTED:
            count = int(self._ray.cluster_resources().get("CPU", 0)) // self._terms.threads
            self._counted = time.monotonic(), max(1, count)
        return self._counted[1]

    def start(self, name: str) -> None:
        """Begin a worker, as soon as the cluster has a core for it."""
        kind = self._ray.remote(num_cpus=self._terms.threads, max_restarts=0, max_concurrency=_CALLS)(Actor)
        self._actors[name] = kind.remote(self._terms, name)
        self._calls[self._actors[name].begin.remote()] = name, ""

    def give(self, name: str, order: Order) -> None:
        """Give a worker one more order."""
        self._calls[self._actors[name].do.remote(order)] = name, order.id

    def events(self, seconds: float) -> Sequence[Event]:
        """Wait until a call is answered; of workers that were stopped, until there are no more."""
        if self._stopping:
            at_work = {name for name, _ in self._calls.values()} & self._nodes.keys()
            ended = [name for name in self._actors if name not in at_work]
            for name in ended:
                self._kill(name)
            if ended:
                return [Event(name, "died", reason="was stopped") for name in ended]
        if not self._calls:
            time.sleep(min(seconds, 0.05))
            return []
        ready, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        return [event for call in ready if (event := self._event(call)) is not None]

    def stop(self) -> None:
        """Ask all workers to leave what they are at."""
        self._stopping = True
        for actor in self._actors.values():
            with suppress(Exception):
                actor.stop.remote()

    def _kill(self, name: str) -> None:
        with suppress(Exception):
            self._ray.kill(self._actors[name])
        self._forget(name)

    def _forget(self, name: str) -> None:
        del self._actors[name]
        self._calls = {call: said for call, said in self._calls.items() if said[0] != name}

    def _event(self, call: Any) -> Event | None:
        name, order = self._calls.pop(call)
        if name not in self._actors:
            return None
        try:
            said = self._ray.get(call)
        except self._ray.exceptions.RayActorError as error:
            self._forget(name)
            return Event(name, "died", reason=_reason(error), blame=self._is_there(name))
        if isinstance(said, Exception):
            return Event(name, "failed", error=said)
        if not order:
            self._nodes[name] = said
            return Event(name, "ready")
        return Event(name, "answer", answer=said)

    def _is_there(self, name: str) -> bool:
        """Whether the machine of a worker that died is still there."""
        node = self._nodes.get(name)
        return node is None or any(one["NodeID"] == node and one["Alive"] for one in self._ray.nodes())


def _reason(error: Exception) -> str:
    """What Ray says of an actor's end, in a line."""
    text = str(error).strip()
    detail = text.partition("Worker exit detail:")[2].strip().partition(". ")[0]
    return f"ended: {detail or text.splitlines()[-1].strip()}" if text else "ended"
