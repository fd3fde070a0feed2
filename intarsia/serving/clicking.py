"""Sessions of clicks that a server remembers from request to request."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from intarsia.inference.clicks import METHODS, Changed, ClickModel, ClickSession
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.pixels import RGB
from intarsia.serving.problems import CONFLICT, NOT_FOUND, TOO_LARGE, Problem

TTL = 30 * 60.0
"""Seconds that a session is kept after its last click."""
MOST = 16
"""Sessions that are kept; a further one ends the one that was idle for longest."""
MOST_BYTES = 1 << 30
"""That all of them hold together."""

Click = tuple[float, float, int]


@dataclass
class Remembered:
    """A session between two requests.

    Attributes:
        key: by which the client names it.
        session: of clicks.
        clicks: that it was told, in their order.
        revision: how often it has changed.
        used: time of its last click.
    """

    key: str
    session: ClickSession
    clicks: list[Click] = field(default_factory=list)
    revision: int = 0
    used: float = 0.0

    def relabel(self, labels: LabelArray, earlier: Sequence[Click]) -> None:
        """Take labels, and the clicks that were made before them."""
        self.session.relabel(labels, [(round(x), round(y), kind) for x, y, kind in earlier])
        self.clicks = list(earlier)

    def click(self, clicks: Sequence[Click], locked: Collection[int]) -> Changed:
        """Make the last of some clicks, after taking back what the client has taken back of those before it.

        Raises:
            Problem: the ones before it are not those that this session knows.
            UsageError: a class is locked or unknown, or the click is outside the picture.
        """
        earlier = list(clicks[:-1])
        undone = len(self.clicks) - len(earlier)
        if self.clicks[: len(earlier)] != earlier or undone < 0 or undone > self.session.steps:
            raise Problem(
                CONFLICT, "clicks: this session knows other ones before the last; send it the labels as they are now"
            )
        for _ in range(undone):
            self.session.undo()
        self.clicks = earlier
        self.session.lock(locked)
        changed = self.session.click(*clicks[-1])
        self.clicks.append(clicks[-1])
        self.revision += 1
        return changed


class Sessions:
    """The sessions of a server; used by one thread at a time.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Remembered] = OrderedDict()
        self._models: dict[str, ClickModel] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, image: RGB, labels: LabelArray, space: LabelSpace, method: str) -> Remembered:
        """Begin a session.

        Args:
            image: (H, W, 3).
            labels: (H, W).
            space: the classes.
            method: one of `METHODS`.

        Raises:
            Problem: it alone needs more memory than all may.
            UsageError: picture and labels differ in size.
        """
        if method not in self._models:
            self._models[method] = METHODS[method]()
        session = ClickSession(image, labels, space, method=self._models[method])
        if session.bytes > MOST_BYTES:
            raise Problem(TOO_LARGE, f"clicks on this picture need {session.bytes / 2**20:.0f} MiB; send it smaller")
        found = Remembered(secrets.token_urlsafe(16), session, used=self._clock())
        self._kept[found.key] = found
        self._bound()
        return found

    def find(self, key: str) -> Remembered:
        """Give a session, which counts as used.

        Raises:
            Problem: there is none, or none any more.
        """
        self._bound()
        if key not in self._kept:
            raise Problem(
                NOT_FOUND,
                f"session: it is not known, or was idle for {TTL / 60:g} minutes; send the photo and labels again",
            )
        found = self._kept[key]
        found.used = self._clock()
        self._kept.move_to_end(key)
        return found

    def _bound(self) -> None:
        """End what was idle for too long, and the idlest where there are too many, or too much is held."""
        while self._kept:
            idlest = next(iter(self._kept.values()))
            held = sum(one.session.bytes for one in self._kept.values())
            is_fresh = self._clock() - idlest.used <= TTL
            if is_fresh and len(self._kept) <= MOST and (held <= MOST_BYTES or len(self._kept) == 1):
                return
            del self._kept[idlest.key]
