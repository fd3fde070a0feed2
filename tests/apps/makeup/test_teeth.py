"""Teeth that the contours of the lips miss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.makeup.teeth import find_teeth

LIPS, TEETH, GLOSS = (170, 80, 90), (225, 215, 205), (240, 220, 220)


def mouth() -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Lips whose inner contour is one row, with teeth on three more below it and gloss far from it."""
    random = np.random.default_rng(0)
    image = np.empty((60, 120, 3), np.uint8)
    image[:] = LIPS
    image[31:34, 40:80] = TEETH
    image[44:46, 50:70] = GLOSS
    image = (image + random.integers(-3, 4, image.shape)).astype(np.uint8)
    lips, line = np.zeros((2, 60, 120), np.float32)
    lips[15:50, 10:110] = 1
    line[30, 20:100] = 1
    return image, lips, line


def test_teeth_at_the_line_are_found_and_gloss_is_not() -> None:
    found = find_teeth(*mouth(), eyes=100.0)
    assert (found[31:34, 40:80] == 1).all()
    assert found[36:].max() == 0 and found[:29].max() == 0
    assert found[:, :39].max() == 0


def test_lips_alone_have_none() -> None:
    image, lips, line = mouth()
    image[31:34] = image[20:23]
    assert find_teeth(image, lips, line, eyes=100.0).max() == 0
    assert find_teeth(image, 0 * lips, line, eyes=100.0).max() == 0
    assert find_teeth(image, lips, 0 * line, eyes=100.0).max() == 0
