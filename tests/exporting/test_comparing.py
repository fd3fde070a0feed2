"""How far an exported network is from its origin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from intarsia.exporting.comparing import compare

X = np.zeros((1, 3, 2, 2), np.float32)


def _of(*logits: float) -> Any:
    """A runtime of two classes that says the same of every picture."""
    values = np.broadcast_to(np.array(logits, np.float32)[None, :, None, None], (1, 2, 2, 2))
    return SimpleNamespace(logits=lambda x: values, align_corners=False)


@pytest.mark.parametrize(
    ("made", "original", "difference"),
    [
        ((1.0, 2.0), (1.0, 2.5), 0.5),
        ((np.nan, 2.0), (1.0, 2.0), np.inf),
        ((-np.inf, 2.0), (-np.inf, 2.0), 0.0),  # a class that is ruled out
        ((np.inf, 2.0), (1.0, 2.0), np.inf),
    ],
)
def test_the_largest_difference(made: Any, original: Any, difference: float) -> None:
    assert compare(_of(*made), _of(*original), [X, X], 2).difference == difference
