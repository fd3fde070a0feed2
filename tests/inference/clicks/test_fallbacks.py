"""What needs no weights, on drawn views."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from intarsia.inference.clicks.fallbacks import GrabCut, Walker
from intarsia.inference.clicks.view import ClickModel, View, stacked


def disc(side: int) -> tuple[View, np.ndarray]:
    """A clicked red disc on noisy grey ground, nothing labelled yet."""
    truth = np.zeros((side, side), np.uint8)
    cv2.circle(truth, (side // 2, side // 2), side // 4, 1, -1)
    noise = np.random.default_rng(0).normal(0, 8, (side, side, 3))
    pixels = (np.array([[90, 90, 90], [200, 60, 60]])[truth] + noise).clip(0, 255).astype(np.uint8)
    everywhere = np.ones((side, side), bool)
    middle = (side / 2, side / 2)
    return View(pixels, ~everywhere, everywhere, everywhere, (middle,)), truth > 0


@pytest.mark.parametrize("make", [GrabCut, Walker])
def test_a_disc_is_found_from_one_click(make: type[ClickModel]) -> None:
    if make is Walker:
        pytest.importorskip("skimage")
    model = make()
    view, truth = disc(model.side)
    likely = model.probability(view)
    assert likely.shape == truth.shape and likely.dtype == np.float32
    found = likely >= 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.9


@pytest.mark.parametrize("make", [GrabCut, Walker])
def test_where_nothing_is_against_a_click_all_may_be_it(make: type[ClickModel]) -> None:
    if make is Walker:
        pytest.importorskip("skimage")
    model = make()
    view, _ = disc(model.side)
    all_of_it = View(view.pixels, np.ones_like(view.same), view.source, view.inside, view.yes)
    likely = model.probability(all_of_it)
    assert likely.min() >= 0 and likely.max() <= 1


def test_a_click_against_keeps_its_disc() -> None:
    view, _ = disc(GrabCut.side)
    against = View(view.pixels, view.same, view.source, view.inside, view.yes, ((90.0, 80.0),))
    assert GrabCut().probability(against)[80, 90] == 0


def test_the_networks_input_is_colours_then_masks_then_clicks() -> None:
    view, _ = disc(32)
    against = View(view.pixels, view.same, view.source, view.inside, view.yes, ((3.2, 29.6),))
    x = stacked(against)
    assert x.shape == (7, 32, 32) and x.dtype == np.uint8
    assert (x[:3].transpose(1, 2, 0) == view.pixels).all()
    assert not x[3].any() and x[4].all()
    assert x[5, 16, 16] == 1 and x[5].sum() < 70
    assert x[6, 30, 3] == 1 and x[6, 20, 3] == 0
