"""Regions: what of a likelihood moves."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.errors import ModelError
from intarsia.inference.clicks.region import candidates, connected, ends_inside, settled, trusted
from intarsia.inference.clicks.trust import Traits, Trust
from intarsia.inference.clicks.view import View

TRAITS = 11


def view(side: int = 20) -> View:
    everywhere = np.ones((side, side), bool)
    return View(np.zeros((side, side, 3), np.uint8), ~everywhere, everywhere, everywhere, ((9.0, 9.0),))


def by(trait: int, weight: float, middle: float, least: float = 0.5) -> Trust:
    """Trust by one trait alone."""
    weights = [0.0] * TRAITS
    weights[trait] = weight
    return Trust((middle,) * TRAITS, tuple(weights), 0.0, least)


def test_only_the_part_around_the_click_moves() -> None:
    likely = np.full((20, 20), 0.1, np.float32)
    likely[2:6, 2:6] = likely[10:15, 10:15] = 0.9
    part, least = trusted(view(), likely, np.ones((20, 20), bool), (11, 12), None)
    assert least == 0.5
    expected = np.zeros((20, 20), bool)
    expected[10:15, 10:15] = True
    assert (part == expected).all()


def test_what_may_not_move_cuts_the_region() -> None:
    likely = np.full((20, 20), 0.9, np.float32)
    free = np.ones((20, 20), bool)
    free[:, 5] = False
    part, _ = trusted(view(), likely, free, (2, 2), None)
    assert part[:, :5].all() and not part[:, 5:].any()


def test_candidates_are_nested_around_the_click_and_the_last_is_its_cell() -> None:
    likely = np.full((20, 20), 0.6, np.float32)
    likely[6:13, 6:13] = 0.95
    found = candidates(likely, np.ones((20, 20), bool), (9, 9))
    sizes = [int(part.sum()) for part, _ in found]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 400 and sizes[-1] == 1
    assert all(part[9, 9] for part, _ in found)
    assert {least for part, least in found if part.sum() == 49} == {0.7, 0.9}


def test_the_largest_candidate_that_is_trusted_moves() -> None:
    likely = np.full((20, 20), 0.6, np.float32)
    likely[6:13, 6:13] = 0.95
    everywhere = np.ones((20, 20), bool)
    part, least = trusted(view(), likely, everywhere, (9, 9), by(0, 50.0, 0.9))
    assert part.sum() == 49 and least == 0.7
    nothing, _ = trusted(view(), likely, everywhere, (9, 9), by(0, 50.0, 2.0))
    assert nothing.sum() == 1 and nothing[9, 9]


def test_a_class_that_has_nothing_yet_needs_no_trust() -> None:
    likely = np.full((20, 20), 0.6, np.float32)
    everywhere, doubt = np.ones((20, 20), bool), by(0, 50.0, 2.0)
    assert trusted(view(), likely, everywhere, (9, 9), doubt, is_new=True)[0].all()
    assert trusted(view(), likely, everywhere, (9, 9), doubt)[0].sum() == 1


def test_traits_tell_size_depth_and_colour() -> None:
    seen = view()
    pixels = seen.pixels.copy()
    pixels[:, 10:] = 100
    traits = Traits(View(pixels, seen.same, seen.source, seen.inside, seen.yes), np.ones((20, 20), np.float32), (4, 4))
    part = np.zeros((20, 20), bool)
    part[2:7, 2:7] = True
    told = traits.of(part)
    assert told[0] == 1 and told[1] == pytest.approx(np.log(0.25)) and told[4] == 1 and told[5] == 0
    assert told[2] == told[3] == pytest.approx(3 / 5, abs=0.1)
    assert traits.of(np.ones((20, 20), bool))[5] == pytest.approx(1.0, abs=0.1)


def test_trust_is_read_back_from_text() -> None:
    trust = by(3, 1.5, 0.25, 0.9)
    assert Trust.from_text(trust.to_text()) == trust
    assert trust.probability(np.full(TRAITS, 0.25)) == 0.5
    for text in ("", "{}", '{"middle": 3}'):
        with pytest.raises(ModelError, match="trust in its clicks cannot be read"):
            Trust.from_text(text)


def test_connected_takes_neighbours_by_sides_alone() -> None:
    mask = np.eye(6, dtype=bool)
    assert connected(mask, (2, 2)).sum() == 1


def test_the_clicked_cell_is_always_in_it() -> None:
    part = connected(np.zeros((8, 8), bool), (3, 4))
    assert part.sum() == 1 and part[4, 3]


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
