"""Few colours: masks and drawings are told from photos."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.media.fewcolours import MOST, FewColours


def seen(image: np.ndarray, rows: int = 16) -> FewColours:
    colours = FewColours()
    for top in range(0, len(image), rows):
        colours.add(image[top : top + rows])
    return colours


@pytest.mark.parametrize("count", [1, 2, 5, MOST])
def test_masks_have_few(count: int) -> None:
    palette = np.random.default_rng(count).permutation(256)[:count]
    image = np.zeros((80, 90, 3), np.uint8)
    image[..., 1] = palette[np.arange(80 * 90).reshape(80, 90) // 7 % count]
    colours = seen(image)
    assert colours.count == count and colours.details == {"colours": count}
    assert f"{count} colour" in colours.notes[0]


def test_a_rare_colour_counts() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    image[299, 299] = 7, 8, 9
    assert seen(image).count == 2


def test_photos_have_many_wherever_they_begin() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    assert seen(image).count is None and seen(image).notes == () and seen(image).details == {}
    image[:90] = 0  # a black border above
    assert seen(image).count is None


def test_an_icon_says_nothing() -> None:
    assert seen(np.zeros((16, 16, 3), np.uint8)).count is None
