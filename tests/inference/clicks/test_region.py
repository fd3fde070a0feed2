"""Regions: what of a likelihood moves."""

from __future__ import annotations

import numpy as np

from intarsia.inference.clicks.region import PURE, connected, ends_inside, moving, settled


def test_only_the_part_around_the_click_moves() -> None:
    likely = np.full((20, 20), 0.1, np.float32)
    likely[2:6, 2:6] = likely[10:15, 10:15] = 0.9
    _, part, least = moving(likely, np.ones((20, 20), bool), (11, 12))
    assert least == 0.5
    expected = np.zeros((20, 20), bool)
    expected[10:15, 10:15] = True
    assert (part == expected).all()


def test_what_may_not_move_cuts_the_region() -> None:
    likely = np.full((10, 10), 0.9, np.float32)
    free = np.ones((10, 10), bool)
    free[:, 5] = False
    _, part, _ = moving(likely, free, (2, 2))
    assert part[:, :5].all() and not part[:, 5:].any()


def test_a_doubtful_region_shrinks_to_its_likelier_part() -> None:
    likely = np.full((20, 20), 0.55, np.float32)
    likely[8:12, 8:12] = 0.95
    _, part, least = moving(likely, np.ones((20, 20), bool), (9, 9))
    assert least == 0.6 and part.sum() == 16 and likely[part].mean() >= PURE


def test_the_clicked_cell_always_moves() -> None:
    _, part, _ = moving(np.zeros((8, 8), np.float32), np.zeros((8, 8), bool), (3, 4))
    assert part.sum() == 1 and part[4, 3]


def test_a_doubted_click_needs_less() -> None:
    likely = np.full((20, 20), 0.02, np.float32)
    likely[5:10, 5:10] = 0.3
    given, part, _ = moving(likely, np.ones((20, 20), bool), (7, 7))
    assert part.sum() == 25 and given[6, 6] == np.float32(0.8)


def test_connected_takes_neighbours_by_sides_alone() -> None:
    mask = np.eye(6, dtype=bool)
    assert connected(mask, (2, 2)).sum() == 1


def test_what_has_the_class_is_joined_without_a_seam() -> None:
    likely = np.zeros((8, 8), np.float32)
    likely[:, :4] = 0.6
    part, same = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    part[:, :4], same[:, 4:] = True, True
    values, least = settled(likely, part, same, 0.5)
    assert least == 127 and (values[:, 4] == 255).all() and not values[:, 5:].any()
    assert (values[:, :4] == 153).all()


def test_a_region_ends_inside_where_it_leaves_the_edge_free_or_the_picture_ends() -> None:
    inside = np.ones((8, 8), bool)
    part = np.zeros((8, 8), bool)
    part[3:5, 3:5] = True
    assert ends_inside(part, inside)
    part[0, 3] = True
    assert not ends_inside(part, inside)
    inside[0] = False
    assert ends_inside(part, inside)
