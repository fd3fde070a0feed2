"""Processes of one attempt meet, whatever those of earlier ones left in the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from intarsia.training import meeting
from intarsia.training.meeting import agree


def attempt(store: dist.Store, ranks: range, size: int) -> set[str]:
    with ThreadPoolExecutor(size) as pool:
        return set(pool.map(lambda rank: agree(store, rank, size), ranks))


def test_each_attempt_has_a_name_of_its_own() -> None:
    """Also after one whose first process never came, and with fewer processes than before."""
    store = dist.HashStore()
    names = [attempt(store, range(3), 3) for _ in range(2)]
    store.set("hello/1", "of one that died before it was answered")
    names.append(attempt(store, range(2), 2))
    assert [len(one) for one in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


def test_one_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_PATIENCE", meeting.timedelta(seconds=0.1))
    store = dist.HashStore()
    store.set("hello/1", "of one that died")
    with pytest.raises(RuntimeError, match="of 2 processes, 1 did not come"):
        agree(store, 0, 2)


def test_without_torchrun_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    assert meeting.met() is None
