"""The bytes that bodies and decoded pictures take, of all requests together, so that memory does not run out."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from starlette.requests import Request
from starlette.types import Scope

from intarsia.serving.problems import TOO_MANY, Problem

_KEY = "intarsia.held"


class Budget:
    """What all requests together may hold.

    Args:
        most: bytes.

    Attributes:
        held: bytes that are held now.
    """

    def __init__(self, most: int) -> None:
        self._most, self.held = most, 0
        self._lock = threading.Lock()

    def take(self, count: int, own: int) -> None:
        """Take bytes for a request that holds `own` already; one that is alone may hold whatever other limits allow.

        Raises:
            Problem: others hold too much for that (429).
        """
        with self._lock:
            if self.held + count > self._most and self.held > own:
                raise Problem(
                    TOO_MANY,
                    f"other requests hold {self.held - own:,} bytes of bodies and pictures, and no more than "
                    f"{self._most:,} are held at once; ask again in a moment, or raise --max-held",
                    headers={"Retry-After": "1"},
                )
            self.held += count

    def give_back(self, count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self.held -= count


class Held:
    """What one request holds of a budget, until the block ends.

    Args:
        budget: of all requests.
        scope: of the request, by which `hold` finds this.
    """

    def __init__(self, budget: Budget, scope: Scope) -> None:
        self._budget, self._count = budget, 0
        scope[_KEY] = self

    def take(self, count: int) -> None:
        """Hold more bytes; see `Budget.take`."""
        self._budget.take(count, self._count)
        self._count += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.give_back(self._count)
        self._count = 0


def hold(request: Request | None, count: int) -> None:
    """Hold bytes for a request, until it is answered.

    Args:
        request: None: nobody waits, and nothing is counted.
        count: bytes.

    Raises:
        Problem: others hold too much for that (429).
    """
    if request is not None:
        held: Held = request.scope[_KEY]
        held.take(count)
