"""Whether two sides of a comparison seem to number their classes differently: masks inverted, or shifted by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.metrics.arrays import ratio

_MOST = 4  # pairs that are shown


def numbering_hint(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """Say it where a predicted class lies on another class of the truth, as a wrong class list makes it.

    Two classes with an IoU above one half belong to no others, as they share more than half of either.

    Args:
        counts: (C, C) or (C, C + 1) confusion matrix, rows the truth, columns the prediction.
        names: of the C classes.

    Returns:
        One sentence, or "" where nothing looks so.
    """
    hits = counts[:, : len(names)].astype(np.float64)
    truth, predicted = counts.sum(axis=1).astype(np.float64), hits.sum(axis=0)
    iou = ratio(hits, truth[:, None] + predicted[None] - hits)
    with np.errstate(invalid="ignore"):
        pairs = [(int(one), int(other)) for other, one in np.argwhere(iou > 0.5)]
    moved = [(one, other) for one, other in pairs if one != other]
    if not moved:
        return ""
    shown = ", ".join(f"{names[one]} lies where the truth has {names[other]}" for one, other in moved[:_MOST])
    more = ", ..." if len(moved) > _MOST else ""
    steps = {other - one for one, other in moved}
    if len(moved) == 2 and moved[0] == moved[1][::-1]:
        cause = "two classes look exchanged, as in inverted masks or another order of the class list"
    elif len(steps) == 1 and len(moved) > 1:
        cause = f"the class numbers look shifted by {abs(steps.pop())}"
    else:
        cause = "the classes may be numbered in another order"
    return f"Predicted {shown}{more}: {cause}. Nothing was changed; give either side its own class file if so."
