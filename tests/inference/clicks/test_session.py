"""Sessions: what a click may and may not do, whatever decides how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.inference.clicks import METHODS, ClickSession, View
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("ground", "thing", "other", "sky"))


@dataclass
class Colored:
    """A model that knows one thing: what has the clicked pixel's colour is the thing."""

    side: int = 64
    whole: bool = False

    def probability(self, view: View) -> NDArray[np.float32]:
        x, y = (min(max(round(value), 0), self.side - 1) for value in view.yes[-1])
        alike = np.abs(view.pixels.astype(int) - view.pixels[y, x]).max(axis=2) < 12
        return np.where(alike, 0.95, 0.05).astype(np.float32)


@dataclass
class Noise:
    """A model that answers at random: what holds with it holds with any."""

    seed: int
    side: int = 32
    whole: bool = False

    def probability(self, view: View) -> NDArray[np.float32]:
        return np.random.default_rng(self.seed).random(view.same.shape, dtype=np.float32) ** 0.3


def squares(height: int = 120, width: int = 160) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture of two bright squares on dark ground, and its labels."""
    truth = np.zeros((height, width), np.uint8)
    truth[20:60, 20:70], truth[70:110, 90:150] = 1, 2
    return np.array([[40, 40, 40], [220, 60, 60], [60, 60, 220]], np.uint8)[truth], truth


def test_a_click_moves_the_thing_and_tells_the_box() -> None:
    image, truth = squares()
    session = ClickSession(image, np.zeros_like(truth), SPACE, method=Colored())
    changed = session.click(40, 40, "thing")
    left, top, right, bottom = changed.box
    assert (session.labels[top:bottom, left:right] == changed.labels).all()
    both, either = ((session.labels == 1) & (truth == 1)).sum(), ((session.labels == 1) | (truth == 1)).sum()
    assert both / either > 0.95
    assert (session.labels[truth == 2] == 0).all()
    assert abs(left - 20) <= 2 and abs(right - 70) <= 2 and abs(top - 20) <= 2 and abs(bottom - 60) <= 2


def test_a_small_thing_is_looked_at_closely() -> None:
    image = np.full((1200, 1600, 3), 40, np.uint8)
    image[500:560, 700:790] = 220
    session = ClickSession(image, np.zeros((1200, 1600), np.uint8), SPACE, method=Colored())
    session.click(740, 530, 1)
    truth = image[..., 0] == 220
    assert ((session.labels == 1) & truth).sum() / ((session.labels == 1) | truth).sum() > 0.9


def test_what_has_the_class_already_stays_and_the_pixel_is_kept_from_others() -> None:
    image, truth = squares()
    session = ClickSession(image, truth, SPACE, method=Colored())
    changed = session.click(40, 40, "thing")
    assert changed.box == (0, 0, 0, 0) and changed.labels.shape == (0, 0)
    assert (session.labels == truth).all()
    session.click(50, 50, "other")
    assert session.labels[40, 40] == 1 and session.labels[50, 50] == 2


def test_undo_restores_labels_and_clicks() -> None:
    image, truth = squares()
    session = ClickSession(image, np.zeros_like(truth), SPACE, method=Colored())
    session.click(40, 40, 1)
    before, clicks = session.labels.copy(), session.clicks
    session.click(100, 80, 2)
    changed = session.undo()
    assert (session.labels == before).all() and session.clicks == clicks
    left, top, right, bottom = changed.box
    assert (changed.labels == before[top:bottom, left:right]).all()
    session.undo()
    assert not session.labels.any() and session.clicks == () and session.steps == 0
    with pytest.raises(UsageError, match="no click to undo"):
        session.undo()


def test_locked_classes_and_their_pixels_are_refused_by_name() -> None:
    image, truth = squares()
    session = ClickSession(image, truth, SPACE, locked=["thing"], method=Colored())
    for x, y, kind in ((40, 40, 2), (5, 5, 1)):
        with pytest.raises(UsageError, match="class 'thing' is locked"):
            session.click(x, y, kind)
    assert (session.labels == truth).all() and session.clicks == ()
    session.lock([])
    session.click(40, 40, 2)
    assert session.labels[40, 40] == 2


@pytest.mark.parametrize(("x", "y"), [(-0.6, 3), (160, 3), (3, 119.5), (float("nan"), 3)])
def test_a_click_outside_is_refused(x: float, y: float) -> None:
    image, truth = squares()
    with pytest.raises(UsageError, match="outside the picture of 160x120 pixels"):
        ClickSession(image, truth, SPACE, method=Colored()).click(x, y, 1)


def test_pixels_are_counted_from_their_middles() -> None:
    image, truth = squares()
    session = ClickSession(image, np.zeros_like(truth), SPACE, method=Noise(0))
    session.click(-0.4, 118.6, 1)
    session.click(159.4, 0.2, 2)
    assert session.labels[119, 0] == 1 and session.labels[0, 159] == 2


def test_wrong_arguments_are_told() -> None:
    image, truth = squares()
    with pytest.raises(UsageError, match="160x120 pixels, the labels 100x120"):
        ClickSession(image, truth[:, :100], SPACE, method=Colored())
    with pytest.raises(UsageError, match=r"'grabcat'.*grabcut"):
        ClickSession(image, truth, SPACE, method="grabcat")
    with pytest.raises(DataError, match="label 9"):
        ClickSession(image, np.full_like(truth, 9), SPACE, method=Colored())
    session = ClickSession(image, truth, SPACE, method=Colored())
    with pytest.raises(UsageError, match="'thng'"):
        session.click(1, 1, "thng")
    with pytest.raises(UsageError, match="no class 4"):
        session.click(1, 1, 4)
    with pytest.raises(UsageError, match="the picture has 160 x 120 pixels, the labels 160 x 119"):
        session.relabel(truth[1:])


def test_relabel_forgets_clicks() -> None:
    image, truth = squares()
    session = ClickSession(image, np.zeros_like(truth), SPACE, method=Colored())
    session.click(40, 40, 1)
    session.relabel(truth)
    assert (session.labels == truth).all() and session.clicks == () and session.steps == 0
    session.relabel(truth, [(40, 40, 1), (41, 40, 2)])
    assert session.clicks == ((40, 40, 1),)


def test_labels_given_are_neither_changed_nor_handed_out_to_be() -> None:
    image, truth = squares()
    labels = np.zeros_like(truth)
    session = ClickSession(image, labels, SPACE, method=Colored())
    session.click(40, 40, 1)
    assert not labels.any()
    with pytest.raises(ValueError, match="read-only"):
        session.labels[0, 0] = 1


def test_unknown_pixels_can_be_given_a_class_and_many_classes_fit() -> None:
    image, truth = squares()
    space = LabelSpace(tuple(f"class {number}" for number in range(300)))
    session = ClickSession(image, np.full(truth.shape, 65535, np.uint16), space, method=Colored())
    session.click(40, 40, 299)
    assert session.labels[40, 40] == 299 and session.labels.dtype == np.uint16


clicks = st.lists(
    st.tuples(st.integers(0, 46), st.integers(0, 30), st.integers(0, 3), st.booleans()), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(clicks=clicks, seed=st.integers(0, 10_000), locked=st.sets(st.integers(0, 3), max_size=2), whole=st.booleans())
def test_a_click_never_acts_against_its_sign(
    clicks: list[tuple[int, int, int, bool]], seed: int, locked: set[int], whole: bool
) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 255, (31, 47, 3), np.uint8)
    labels = random.integers(0, 4, (4, 6), np.uint8).repeat(8, axis=0).repeat(8, axis=1)[:31, :47]
    session = ClickSession(image, labels, SPACE, locked=locked, method=Noise(seed, whole=whole))
    states = [(labels.copy(), session.clicks)]
    for x, y, kind, back in clicks:
        before, earlier = session.labels.copy(), session.clicks
        if back and len(states) > 1:
            session.undo()
            states.pop()
            assert (session.labels == states[-1][0]).all() and session.clicks == states[-1][1]
            continue
        if kind in locked or int(before[y, x]) in locked:
            with pytest.raises(UsageError, match="is locked"):
                session.click(x, y, kind)
            assert (session.labels == before).all() and session.clicks == earlier
            continue
        changed = session.click(x, y, kind)
        now = session.labels
        different = now != before
        left, top, right, bottom = changed.box
        assert now[y, x] == kind
        assert (now[different] == kind).all()
        assert not np.isin(before[different], list(locked)).any()
        assert (now[top:bottom, left:right] == changed.labels).all()
        different[top:bottom, left:right] = False
        assert not different.any()
        for past_x, past_y, past in earlier:
            assert (past_x, past_y) == (x, y) or now[past_y, past_x] == past
        states.append((now.copy(), session.clicks))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_keeps_to_the_rules(method: str) -> None:
    if method == "walker":
        pytest.importorskip("skimage")
    image, truth = squares()
    session = ClickSession(image, np.zeros_like(truth), SPACE, method=method)
    session.click(40, 40, 1)
    session.click(100, 80, 2)
    session.click(5, 5, 0)
    assert [int(session.labels[y, x]) for x, y in ((40, 40), (100, 80), (5, 5))] == [1, 2, 0]
    session.undo()
    session.undo()
    session.undo()
    assert not session.labels.any()
