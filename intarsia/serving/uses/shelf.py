"""The shelf: what apps made ready, and what live streams remember, for the requests that come after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from intarsia.serving.engine import Engine
from intarsia.serving.keeping import Kept

T = TypeVar("T")

_APPS, _STREAMS, _VECTORS = 16, 16, 2000
_IDLE = 60.0  # seconds after which a live stream that sends nothing is over


class Stream(Generic[T]):
    """What one live stream remembers; its frames are gone through one after the other.

    Args:
        memory: of the use.
    """

    def __init__(self, memory: T) -> None:
        self.memory, self.turn = memory, asyncio.Lock()


class Shelf:
    """What requests share.

    Attributes:
        streams: live ones, by use and session.
        vectors: of photos that were looked at, by their bytes' checksum; see `uses.search`.
    """

    def __init__(self) -> None:
        self._apps: Kept[Any] = Kept(_APPS)
        self.streams: Kept[Stream[Any]] = Kept(_STREAMS, _IDLE)
        self.vectors: Kept[Any] = Kept(_VECTORS)

    async def app(self, engine: Engine, key: Hashable, make: Callable[[], T]) -> T:
        """Give what an app has made ready under a key, which is made once, whoever else asks for it meanwhile."""
        found: T | None = self._apps.get(key)
        if found is not None:
            return found
        # One thread loads, so that what another request has made meanwhile is there.
        return await engine.load(lambda: self._apps.get(key) or self._apps.put(key, make()))

    def stream(self, key: Hashable, begin: Callable[[], T]) -> Stream[T]:
        """Give a live stream, which begins with its first frame."""
        found: Stream[T] | None = self.streams.get(key)
        return found or self.streams.put(key, Stream(begin()))
