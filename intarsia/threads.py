"""How the threads that compute a network wait for each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Mapping, MutableMapping

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
