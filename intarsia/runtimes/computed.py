"""What an exported network has computed is what its file says, and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intarsia.errors import ModelError
from intarsia.runtimes.contract import Floats

_OF = {1: "points", 2: "pixels"}


def require_logits(logits: Floats, sides: Sequence[int], stride: int, file: Path) -> None:
    """Refuse logits that would become labels without a word, though they mean nothing.

    Args:
        logits: (N, K, *cells) float32.
        sides: of the input, in elements.
        stride: elements a cell, as the file says.
        file: that holds the network, for the message.

    Raises:
        ModelError: there are not as many cells as the stride says, or there are NaN or infinite logits.
    """
    cells = tuple(-(-side // stride) for side in sides)
    if logits.shape[2:] != cells:  # pooling that is larger than a small picture gives nothing, without an error
        raise ModelError(
            f"{file}: its network gives {_said(logits.shape[2:])} cells for {_said(sides)} {_OF[len(sides)]}, not "
            f"the {_said(cells)} of its stride; export it again"
        )
    if not np.isfinite(logits.max()):  # NaN is larger than all; a class that is ruled out may be minus infinity
        raise ModelError(
            f"{file}: its network gives logits that are not numbers (NaN or infinite): its weights are damaged, or its "
            "training had failed; fetch or export it again"
        )


def _said(sides: Sequence[int]) -> str:
    return "x".join(str(side) for side in reversed(sides))
