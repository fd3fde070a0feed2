"""How far the items of a project are, and the orders in which they are listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["new", "predicted", "labelled", "corrected"]
Order = Literal["name", "uncertainty", "worst"]


@dataclass(frozen=True)
class Status:
    """How far an item is.

    Attributes:
        revision: grows with every saved label map of it; 0 without any.
        state: whether nobody said its labels, a model did, the data brought them along, or somebody corrected it here.
        uncertainty: of its drafts on average; None without any.
        agreement: of its drafts with labels that were there, on average.
        labelled: frames with labels.
    """

    revision: int
    state: State
    uncertainty: float | None
    agreement: float | None
    labelled: tuple[int, ...]
