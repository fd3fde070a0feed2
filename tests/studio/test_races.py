"""What somebody does while something else is on its way: it is done, or it is said why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from studio.pages import SITUATION, Studio
from studio.stub import Stub, mask_png

from intarsia.labels import LabelArray

IDLE = "#stage[aria-busy=false]"
SAVED = "#saved[data-how=saved]"


class Held:
    """Requests that are answered when the test says so, in the order that it says."""

    def __init__(self, studio: Studio, pattern: str) -> None:
        self.studio = studio
        self.routes: list[Any] = []
        studio.page.route(pattern, lambda route: self.routes.append(route))

    def until(self, count: int) -> None:
        """Wait until so many were sent."""
        for _ in range(3000):
            if len(self.routes) >= count:
                return
            self.studio.page.wait_for_timeout(10)
        told = self.studio.tell(SITUATION)
        raise AssertionError(f"{len(self.routes)} of {count} requests came: {told}; {self.studio.stub.requests[-5:]}")

    def answer(self, which: int, labels: LabelArray) -> None:
        """Answer one by labels."""
        body = mask_png(labels, self.studio.stub.space)
        self.routes[which].fulfill(body=body, headers={"Content-Type": "image/png"})


def filled(stub: Stub, label: int) -> LabelArray:
    """Labels of one class."""
    return np.full_like(stub.truth, label)


def test_the_prediction_that_was_asked_for_last_is_shown(studio: Studio, stub: Stub) -> None:
    held = Held(studio, "**/predict*")
    studio.page.keyboard.press("r")
    held.until(1)
    studio.page.keyboard.press("r")
    held.until(2)
    held.answer(0, filled(stub, 2))
    held.answer(1, filled(stub, 3))
    studio.until_labels(filled(stub, 3).ravel().tolist())
    studio.page.keyboard.press("r")
    held.until(3)
    studio.page.keyboard.press("r")
    held.until(4)
    held.answer(3, filled(stub, 1))
    studio.until_labels(filled(stub, 1).ravel().tolist())
    held.answer(2, filled(stub, 4))  # overtaken
    studio.until(IDLE)
    assert set(studio.labels()) == {1}
    assert studio.tell("return editor.history.past.length") == 0


def test_a_stroke_goes_on_while_a_prediction_comes(studio: Studio, stub: Stub) -> None:
    held = Held(studio, "**/predict*")
    studio.page.keyboard.press("5")
    studio.page.keyboard.press("r")
    held.until(1)
    mouse = studio.page.mouse
    mouse.move(*studio.point(60, 60))
    mouse.down()
    mouse.move(*studio.point(100, 60))
    held.answer(0, filled(stub, 3))
    studio.until(IDLE)
    mouse.move(*studio.point(140, 60))
    mouse.up()
    labels = np.array(studio.labels()).reshape(stub.truth.shape)
    assert (labels[60, 110:141] == 4).all() and labels[150, 100] == 3
    for _ in range(3):
        studio.page.keyboard.press("Control+z")
    assert studio.labels() == stub.truth.ravel().tolist(), "nothing of it is lost to undo"


def test_predicting_while_a_picture_opens_waits_for_it(studio: Studio, stub: Stub) -> None:
    held = Held(studio, "**/predict*")
    studio.tell("const { openItem } = await import('/studio/js/picture.js'); void openItem(state.item)")
    held.until(1)
    studio.page.keyboard.press("r")  # the opening does what is asked for
    studio.page.mouse.click(*studio.point(100, 60))
    studio.page.locator("#message", has_text="still coming").wait_for()
    held.answer(0, filled(stub, 3))
    studio.until(IDLE)
    assert set(studio.labels()) == {3} and len(held.routes) == 1


def test_another_model_that_is_chosen_while_a_picture_opens_is_asked(studio: Studio, stub: Stub) -> None:
    held = Held(studio, "**/predict*")
    studio.tell("const { openItem } = await import('/studio/js/picture.js'); void openItem(state.item)")
    held.until(1)
    studio.page.select_option("#model", "other")
    studio.page.keyboard.press("r")
    held.answer(0, filled(stub, 3))
    held.until(2)
    assert "model=other" in held.routes[1].request.url
    held.answer(1, filled(stub, 1))
    studio.until(IDLE)
    assert set(studio.labels()) == {1}


def test_the_page_asks_what_a_model_says_before_the_first_picture_has_come(studio: Studio, stub: Stub) -> None:
    images: list[Any] = []
    page = studio.context.new_page()
    page.route("**/image", lambda route: images.append(route))
    with page.expect_request("**/predict*"):
        page.goto(stub.address)
    while not images:
        page.wait_for_timeout(10)
    images[0].continue_()
    page.evaluate("async () => { await (await import('/studio/js/main.js')).started }")
    assert studio.labels(page) == stub.truth.ravel().tolist()
    page.close()


@pytest.fixture
def album(browser: Any) -> Iterator[Studio]:
    """A page of a project of three pictures, with its list."""
    with Stub(project=True) as stub:
        for name in ("second.png", "third.png"):
            stub.add(name)
        opened = Studio(browser, stub)
        opened.page.locator("li[data-id='2']").wait_for()
        yield opened
        opened.context.close()
        assert opened.complaints == []


def test_a_prediction_of_what_was_left_is_told(album: Studio) -> None:
    held = Held(album, "**/items/0/predict*")
    album.page.keyboard.press("r")
    held.until(1)
    album.page.keyboard.press("n")
    album.until("#item-name:text('second.png')")
    held.answer(0, filled(album.stub, 3))
    album.page.locator("#message", has_text="picture.png came too late").wait_for()
    assert album.labels() == album.stub.truth.ravel().tolist()


def test_stepping_fast_goes_on_from_what_is_coming(album: Studio) -> None:
    held = Held(album, "**/items/1/image?frame*")
    album.page.route("**/items/1/image", lambda route: held.routes.append(route))
    album.page.keyboard.press("n")
    held.until(1)
    album.page.keyboard.press("n")
    album.until("#item-name:text('third.png')")


def test_keys_of_a_room_that_is_still_coming_are_done_when_it_is_there(album: Studio) -> None:
    page = album.context.new_page()
    rooms: list[Any] = []
    page.route("**/project/index.js", lambda route: rooms.append(route))
    page.goto(album.stub.address)
    page.evaluate("async () => { await (await import('/studio/js/main.js')).started }")
    page.keyboard.press("n")
    while not rooms:
        page.wait_for_timeout(10)
    rooms[0].continue_()
    album.until("#item-name:text('second.png')", page)
    page.close()


def test_clicks_that_come_fast_are_all_answered(studio: Studio, stub: Stub) -> None:
    studio.page.keyboard.press("4")
    studio.page.keyboard.press("c")
    places = [(60, 20), (120, 20), (180, 20)]
    for x, y in places:
        studio.page.mouse.click(*studio.point(x, y))
    studio.until(IDLE)
    labels = np.array(studio.labels()).reshape(stub.truth.shape)
    assert all(labels[y, x] == 3 for x, y in places)
    assert len(stub.clicks) == 3 and stub.clicks[2]["session"] == b"s1"


def test_classes_that_two_windows_change_are_all_kept(studio: Studio, stub: Stub) -> None:
    """One does not hear of the other: what it does goes over what the other did."""
    stub.rows = [*stub.classes(), {"index": 5, "name": "theirs", "color": "#123456"}]
    stub.revision = 2
    change = """const { changeClasses } = await import('/studio/js/classlist.js');
      const one = changeClasses((rows) => rows.map((row) => (row.name === 'road' ? { ...row, name: 'street' } : row)));
      const other = changeClasses((rows) => [...rows, { name: 'mine' }]);
      await Promise.all([one, other]);
      return state.classes.map(({ name }) => name)"""
    assert studio.tell(change) == ["sky", "building", "street", "tree", "person", "theirs", "mine"]


def test_labels_keep_their_names_where_another_window_removes_classes(studio: Studio, stub: Stub) -> None:
    stub.refuse_labels = True
    studio.page.keyboard.press("5")
    studio.drag((100, 60), (150, 60))
    stub.rows = [row | {"index": index} for index, row in enumerate(stub.classes()[1:])]  # no sky
    stub.revision = stub.numbered = 2
    stub.refuse_labels = False
    studio.until(SAVED)
    painted = np.array(studio.labels()).reshape(stub.truth.shape)
    assert studio.tell("return state.nameOf(state.labels.at(120, 60))") == "person"
    assert (painted[:40, :90][stub.truth[:40, :90] == 0] == 255).all(), "the sky is no class any more"
    assert stub.saved().tolist() == painted.tolist()


def test_windows_of_one_browser_tell_each_other_of_classes(studio: Studio, stub: Stub) -> None:
    other = studio.open()
    studio.tell(
        "const { changeClasses } = await import('/studio/js/classlist.js');await changeClasses((rows) => rows.slice(1))"
    )
    other.locator("#legend-list .name span", has_text="sky").wait_for(state="detached")
    assert studio.tell("return state.classesRevision", other) == 2
