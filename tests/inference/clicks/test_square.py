"""Squares: where cells lie in a picture, and what is cut from it."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.inference.clicks.square import Halves, Square


def test_cells_and_pixels_are_inverse() -> None:
    square = Square(10.0, 20.0, 40.0, 20)
    assert square.scale == 2
    assert square.to_cells(10.5, 20.5) == (0, 0)
    assert square.cell(12, 23) == (1, 1)
    assert square.cell(-50, 500) == (0, 19)
    assert square.holds(10, 20) and square.holds(49, 59) and not square.holds(9, 20) and not square.holds(50, 20)


@pytest.mark.parametrize(
    ("box", "length", "left", "top"),
    [
        ((40, 40, 60, 60), 40.0, 30, 30),  # in the middle
        ((0, 90, 10, 100), 40.0, 0, 60),  # moved into the picture
        ((0, 0, 10, 10), 120.0, 0, -10),  # wider than the picture is high
    ],
)
def test_a_square_lies_in_the_picture_where_it_can(
    box: tuple[int, int, int, int], length: float, left: float, top: float
) -> None:
    square = Square.around(box, length, (100, 120), 16)
    assert (square.left, square.top) == (left, top)


def test_box_covers_the_cells_of_a_mask_within_the_picture() -> None:
    mask = np.zeros((16, 16), bool)
    mask[0:2, 3:5] = True
    assert Square(0, -10, 80, 16).box(mask, (100, 120)) == (15, 0, 25, 0)
    assert Square(0, 0, 80, 16).box(mask, (100, 120)) == (15, 0, 25, 10)


def test_labels_are_those_of_the_middles_and_the_rest_is_outside() -> None:
    labels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    found, inside = Square(-2, 4, 12, 6).labels(labels)
    assert found[0, 1] == 51 and found[0, 2] == 53 and inside[0, 1] and not inside[0, 0]
    assert inside.sum() == 3 * 5


def test_a_square_of_one_pixel_a_cell_is_cut_exactly() -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), np.uint8)
    assert (Halves(image).cut(Square(10, 5, 32, 32)) == image[5:37, 10:42]).all()


@pytest.mark.parametrize("size", [(512, 512), (515, 509)])
def test_halved_copies_lie_where_the_picture_does(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows, columns, rows * 0], axis=-1).astype(np.float32) / 3
    square = Square(40.0, 60.0, 400.0, 50)  # eight pixels a cell: of the third copy
    found = Halves(image.astype(np.uint8)).cut(square).astype(float)
    middles = (np.arange(50) + 0.5) * 8 - 0.5
    assert np.abs(found[..., 0] - ((60 + middles) / 3)[:, None]).max() < 1.6
    assert np.abs(found[..., 1] - ((40 + middles) / 3)).max() < 1.6


def test_values_are_spread_from_cells_to_pixels() -> None:
    values = np.zeros((4, 4), np.uint8)
    values[1:3, 1:3] = 200
    made = Square(0, 0, 16, 4).spread(values, (0, 0, 16, 16))
    assert (made[6:10, 6:10] == 200).all() and not made[:2].any() and not made[:, 14:].any()
    assert (made[8] >= 100).sum() == 8  # the border lies between the cells' middles
