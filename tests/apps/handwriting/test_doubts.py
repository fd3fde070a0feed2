"""Lines of writing told from stripes of other things."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core
from intarsia.apps.handwriting.doubts import find_doubt

SIZE = (300, 400)


Drawn = tuple[list[Core], NDArray[np.int32], NDArray[np.float32]]


def drawn(lines: list[tuple[int, int]], sure: float = 0.95) -> Drawn:
    """Level lines of (length, thickness) below each other, as a sure network gives them."""
    labels, cores, top = np.zeros(SIZE, np.int32), [], 4
    for label, (length, thickness) in enumerate(lines, 1):
        labels[top : top + thickness, :length] = label
        cores.append(Core(label, 0, np.full(length, top + thickness / 2, np.float32), thickness))
        top += 2 * thickness
    return cores, labels, np.where(labels > 0, sure, 0.0).astype(np.float32)


def test_even_lines_and_a_heading_raise_no_doubt() -> None:
    assert find_doubt(*drawn([(120, 16), *[(300, 6)] * 10])) == ""
    assert find_doubt(*drawn([(40, 6)])) == ""  # one word
    assert find_doubt([], np.zeros(SIZE, np.int32), np.zeros(SIZE, np.float32)) == ""  # a blank page is told elsewhere


@pytest.mark.parametrize(
    ("lines", "sure", "reason"),
    [
        ([(300, 2), (200, 4), (250, 20), (350, 40)], 0.95, "very different heights"),
        ([(20, 8), (18, 8), (25, 8)], 0.95, "hardly longer than it is high"),
        ([(300, 6)] * 10, 0.6, "sure of no line"),
    ],
)
def test_stripes_of_other_things_do(lines: list[tuple[int, int]], sure: float, reason: str) -> None:
    assert reason in find_doubt(*drawn(lines, sure))
