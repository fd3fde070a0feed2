"""Where processes of one attempt find each other, and not what is left of those of an attempt before."""

from __future__ import annotations

import os
import time
import uuid
from datetime import timedelta

from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]  # its types do not say so

_PATIENCE = timedelta(minutes=30)
_PAUSE = 0.05


def met() -> PrefixStore | None:
    """What the processes that ``torchrun`` has started share, apart from all earlier attempts; None: there is nothing.

    ``torchrun`` keeps one store for all its restarts, in which the addresses of processes stand that have died: torch's
    own process groups wait for these for ever (seen with torch 2.14.1).
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=_PATIENCE)
    return PrefixStore(agree(store, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])), store)


def agree(store: Store, rank: int, size: int) -> str:
    """Agree with the other processes of this attempt on a name that no attempt before had.

    Each says a number of its own. The first answers all numbers that it reads, also those of the dead, until each of
    the others has told that it read an answer to its number, which no other process waits for.

    Args:
        store: shared by all, also by those of earlier attempts.
        rank: of this process.
        size: number of processes.

    Raises:
        RuntimeError: they did not all come within half an hour.
    """
    if rank:
        own = uuid.uuid4().hex
        store.set(f"hello/{rank}", own)
        name = store.get(f"welcome/{own}").decode()
        store.set(f"{name}/here/{rank}", own)
        return name
    name, deadline = uuid.uuid4().hex, time.monotonic() + _PATIENCE.total_seconds()
    missing = set(range(1, size))
    while missing:
        for other in sorted(missing):
            if store.check([f"hello/{other}"]):
                store.set(f"welcome/{store.get(f'hello/{other}').decode()}", name)
            if store.check([f"{name}/here/{other}"]):
                missing.discard(other)
        if time.monotonic() > deadline:
            raise RuntimeError(f"of {size} processes, {len(missing)} did not come within half an hour")
        time.sleep(_PAUSE if missing else 0)
    return name
