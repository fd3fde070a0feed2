"""Where the workers of a job are, as people say it: `--on local:4`, `--on ray`, `--on ray://HOST:PORT`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intarsia.errors import UsageError


@dataclass(frozen=True)
class Local:
    """Processes of this machine, which share its cores.

    Attributes:
        workers: how many.
    """

    workers: int

    @property
    def here(self) -> int:
        """How many of them this machine holds at the same time."""
        return self.workers


@dataclass(frozen=True)
class OnRay:
    """Actors of a Ray cluster.

    Attributes:
        address: of a cluster's client server (``ray://HOST:PORT``) or of its head (``HOST:PORT``); None: the cluster
            that the variable RAY_ADDRESS names, or one that is started on this machine.
        workers: how many; None: one for each core of the cluster, also of those that join later.
    """

    address: str | None = None
    workers: int | None = None

    @property
    def here(self) -> int:
        """How many of them this machine holds for certain: the cluster shares them out."""
        return 1


Engine = Local | OnRay

_SAID = re.compile(r"local:(?P<local>\d+)|ray(:(?P<ray>\d+)|(?P<address>://[^/\s]+:\d+)(/(?P<joined>\d+))?)?")


def read_engine(said: str) -> Engine:
    """Read where workers shall be.

    Args:
        said: ``local:N`` for N processes; ``ray`` or ``ray:N`` for a cluster that RAY_ADDRESS names, or a new one on
            this machine; ``ray://HOST:PORT`` or ``ray://HOST:PORT/N`` for one that runs.

    Raises:
        UsageError: it is none of these, or no worker at all.
    """
    found = _SAID.fullmatch(said)
    count = found and (found["local"] or found["ray"] or found["joined"])
    if found is None or (count and not int(count)):
        raise UsageError(
            f"--on takes local:N (N processes), ray or ray:N (N workers on Ray), or ray://HOST:PORT of a cluster that "
            f"runs (ray://HOST:PORT/N for N workers), not {said!r}"
        )
    if found["local"]:
        return Local(int(found["local"]))
    address = found["address"]
    return OnRay(None if address is None else f"ray{address}", int(count) if count else None)
