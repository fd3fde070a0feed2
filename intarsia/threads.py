"""Threads: how those that compute a network wait for each other, and parts of one work side by side."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

POLICY = {"GOMP_SPINCOUNT": "1000"}
"""A thread that is done with its part of a layer looks this often whether the others are, then it sleeps.

GNU's OpenMP runtime, which torch's Linux packages bring, looks 300,000 times by default, some milliseconds and longer
than most layers take: a core that waits keeps other processes from computing, one of them perhaps what it waits for.
"""

_USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables by which users say how OpenMP's threads wait: the standard's, GNU's, and LLVM's and Intel's."""


def share_cores(environment: MutableMapping[str, str] = os.environ, loaded: Container[str] = sys.modules) -> None:
    """Let waiting threads sleep soon, in this process and those that it starts, unless the user says how they wait.

    To be called before torch is loaded: an OpenMP runtime reads its variables once, when it is loaded. Later it does
    nothing, for a program that has loaded torch itself is not ours to change.

    Args:
        environment: the process's environment variables.
        loaded: names of the modules that are loaded.
    """
    if "torch" not in loaded and not waiting(environment):
        environment.update(POLICY)


def waiting(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that say how OpenMP's threads wait; none of them means the runtime's own way."""
    return {name: environment[name] for name in _USERS if name in environment}


def cores(environment: Mapping[str, str] = os.environ) -> int:
    """Count the threads that a network may be computed with: the user's OMP_NUM_THREADS, or this process's cores."""
    said = environment.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def side_by_side(function: Callable[[S], T], parts: Iterable[S], threads: int | None = None) -> Iterator[T]:
    """Do the parts of one work on several threads, and give what comes of each in their order.

    It pays where the function lets go of Python's lock, as NumPy and OpenCV do. At most as many parts as there are
    threads are begun ahead of the one that is taken, so that memory does not grow with their number.

    Args:
        function: of one part.
        parts: in order.
        threads: that work; None: `cores()`; with 1 the caller works, when it takes a part.
    """
    most = cores() if threads is None else threads
    if most == 1:
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(most, "side-by-side") as pool:
        begun: deque[Future[T]] = deque()
        try:
            for part in parts:
                begun.append(pool.submit(function, part))
                if len(begun) > most:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
