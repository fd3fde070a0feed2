"""ClickModel: what every way to decide a click promises."""

from __future__ import annotations

from typing import Protocol

from intarsia.inference.clicks.trust import Trust
from intarsia.inference.clicks.view import Likely, View


class ClickModel(Protocol):
    """Decides how far a click reaches.

    Attributes:
        side: S of the views that it takes.
        trust: which of the regions that it finds may move; None: all.
        whole: it wants to see all of the picture at each click, instead of the part around the click.
    """

    side: int
    whole: bool
    trust: Trust | None

    def probability(self, view: View) -> Likely:
        """Tell how likely each pixel of a view is of the thing that was clicked, (S, S) in 0..1."""
        ...
