"""The studio in a browser: it predicts, corrects, compares and saves, by mouse and by keys, and loses nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio.arrays import TOLD, read
from studio.pages import Studio
from studio.programs import package
from studio.stub import Stub, mask_png

SAVED = "#saved[data-how=saved]"
HERE = "#saved[data-how=here]"
CONFLICT = "#conflict[open]"
IDLE = "#stage[aria-busy=false]"
OPENED = "#item-name:text('scene.png')"


DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Resolves when what was asked for is on the screen: a frame draws it, and the next one comes after it."""


def shown(studio: Studio, x: float, y: float) -> tuple[int, int, int]:
    """The colour of the screen at a pixel of the picture."""
    studio.page.evaluate(DRAWN)
    at = studio.point(x, y)
    shot = studio.page.screenshot(clip={"x": int(at[0]), "y": int(at[1]), "width": 1, "height": 1})
    with Image.open(io.BytesIO(shot)) as image:
        red, green, blue = image.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    return red, green, blue


def comes(studio: Studio, x: float, y: float, colour: tuple[int, int, int]) -> bool:
    """Wait for a colour at a pixel of the picture: what is nearer is drawn when its tile has come."""
    return any(shown(studio, x, y) == colour for _ in range(50))


def test_an_empty_project_begins_with_the_sample_predicted(studio: Studio, stub: Stub) -> None:
    assert studio.page.text_content("#item-name") == "scene.png"
    assert studio.labels() == stub.truth.ravel().tolist()
    names = studio.page.locator("#legend-list .name span").all_text_contents()
    assert names == ["sky", "building", "road", "tree", "person"]
    share = 100 * float(np.mean(stub.truth == 0))
    assert studio.page.locator("#legend-list .share").first.text_content() == f"{share:.1f} %"
    assert stub.stored == {}, "a prediction that nobody touched is not saved"


def test_the_picture_stays_where_it_is_when_the_other_rooms_come(browser: Any, stub: Stub) -> None:
    """They are loaded after it: who already draws must not find it elsewhere."""
    where = """const main = await import('/studio/js/main.js');
    const place = () => { const { x, y, width, height } = main.view.canvas.getBoundingClientRect();
      return [x, y, width, height, main.view.zoom, main.view.x, main.view.y]; };
    await main.started;"""
    rooms = "await (await import('/studio/js/project/index.js')).ready;"
    context = browser.new_context()
    page = context.new_page()
    page.goto(stub.address)
    before, after = page.evaluate(
        f"async () => {{ {where} const before = place(); {rooms} return [before, place()]; }}"
    )
    context.close()
    assert before == after


DRAFTS = """const { leave } = await import("/studio/js/saving.js");
await leave();
const [{ name }] = await indexedDB.databases();
const opened = indexedDB.open(name);
await new Promise((done) => (opened.onsuccess = done));
const all = opened.result.transaction("drafts").objectStore("drafts").getAll();
await new Promise((done) => (all.onsuccess = done));
return all.result.map(({ picture }) => picture);"""


def test_drafts_are_of_a_project_and_of_what_somebody_changed(studio: Studio, stub: Stub) -> None:
    assert studio.tell(DRAFTS) == [], "a prediction is not kept when its picture is left"
    stub.refuse_labels = True  # what the server has needs no draft
    studio.drag((100, 60), (150, 60))
    assert studio.tell(DRAFTS) == ["stub:/v1/project/items/0:0"], "another project at this address has items 0, too"


def test_classes_that_the_project_lacks_are_told_and_erase_nothing(studio: Studio, stub: Stub) -> None:
    def answer(route: Any) -> None:
        left_out = {"X-Left-Out": "cat, dog", "Content-Type": "image/png"}
        route.fulfill(body=mask_png(np.full_like(stub.truth, 255), stub.space), headers=left_out)

    studio.page.route("**/predict*", answer)
    studio.page.keyboard.press("r")
    studio.page.locator("#message", has_text="this project has no such classes: cat, dog").wait_for()
    assert studio.labels() == stub.truth.ravel().tolist()


def test_predicting_an_untouched_picture_again_is_no_correction(studio: Studio, stub: Stub) -> None:
    other = np.full_like(stub.truth, 3)
    answer = {"body": mask_png(other, stub.space), "headers": {"Content-Type": "image/png"}}
    studio.page.route("**/predict*", lambda route: route.fulfill(**answer))
    studio.page.keyboard.press("r")
    studio.until_labels(other.ravel().tolist())
    assert studio.tell("return editor.history.past.length") == 0
    studio.page.keyboard.press("5")
    studio.drag((100, 60), (150, 60))  # now it is touched
    studio.page.keyboard.press("r")
    studio.until_labels(other.ravel().tolist())
    assert studio.tell("return editor.history.past.length") == 2


@pytest.mark.parametrize("query", ["?painter=gl", "?painter=flat"])
def test_a_stroke_changes_what_it_covers_and_the_screen_shows_it(browser: Any, stub: Stub, query: str) -> None:
    studio = Studio(browser, stub, query)
    painter = "FlatPainter" if "flat" in query else "GlPainter"
    assert studio.tell("return view.painter.constructor.name") == painter
    studio.tell("view.opacity = 1; view.redraw()")
    before = np.array(studio.labels()).reshape(stub.truth.shape)
    studio.page.keyboard.press("5")
    studio.drag((100, 60), (150, 60), (150, 90))
    after = np.array(studio.labels()).reshape(stub.truth.shape)
    y, x = np.nonzero(after != before)
    assert set(after[y, x]) == {4}
    assert x.min() >= 100 - 13 and x.max() <= 150 + 13 and y.min() >= 60 - 13 and y.max() <= 90 + 13
    assert (after[60, 100:151] == 4).all() and (after[60:91, 150] == 4).all()
    assert shown(studio, 125, 60) == stub.space.palette[4]
    assert shown(studio, 125, 10) == stub.space.palette[0]
    studio.page.keyboard.press("Control+z")
    assert studio.labels() == before.ravel().tolist()
    assert shown(studio, 125, 60) == stub.space.palette[0]
    studio.page.keyboard.press("Control+Shift+z")
    assert studio.labels() == after.ravel().tolist()
    studio.context.close()


@pytest.mark.parametrize("query", ["?painter=gl", "?painter=flat"])
def test_large_pictures_show_their_own_pixels(browser: Any, query: str) -> None:
    with Stub(1250, 300, magnified=4) as stub:  # wider than the overview: the tiles of the photo are needed
        studio = Studio(browser, stub, query)
        with Image.open(io.BytesIO(stub.photo.getvalue())) as image:
            pixels = np.asarray(image.convert("RGB"))
        for x, y in ((3071, 1100), (3072, 1024), (40, 30)):
            studio.tell(f"view.zoom = 8; view.x = {x} - 50; view.y = {y} - 40; view.opacity = 1; view.moved()")
            assert shown(studio, x, y) == stub.space.palette[stub.truth[y, x]]
            studio.page.keyboard.press("t")
            assert comes(studio, x, y, tuple(pixels[y, x]))
            assert comes(studio, x + 1, y + 1, tuple(pixels[y + 1, x + 1]))
            studio.page.keyboard.press("t")
        studio.context.close()


@pytest.mark.parametrize("query", ["?painter=gl", "?painter=flat"])
def test_outlines_are_lines_at_every_zoom(browser: Any, stub: Stub, query: str) -> None:
    studio = Studio(browser, stub, query)
    studio.page.keyboard.press("o")
    edge = 67  # the first row of buildings, below the sky
    for zoom in (2, 16):
        studio.tell(f"view.zoom = {zoom}; view.x = 180 - 400 / {zoom}; view.y = {edge} - 300 / {zoom}; view.moved()")
        x, y = studio.point(180, edge - 0.5)
        studio.page.evaluate(DRAWN)
        shot = studio.page.screenshot(clip={"x": int(x), "y": round(y) - 6, "width": 1, "height": 12})
        with Image.open(io.BytesIO(shot)) as image:
            column = [tuple(pixel) for pixel in np.asarray(image.convert("RGB"))[:, 0]]
        assert column[5] == stub.space.palette[0] and column[6] == stub.space.palette[1]
        assert 1 <= column.count(stub.space.palette[0]) <= 2 and 1 <= column.count(stub.space.palette[1]) <= 2
    studio.context.close()


def test_a_lost_graphics_card_comes_back_with_everything(browser: Any, stub: Stub) -> None:
    studio = Studio(browser, stub, "?painter=gl")
    studio.tell("view.opacity = 1; view.redraw()")
    studio.drag((100, 60), (120, 60))
    studio.tell(
        """const card = view.painter.gl.getExtension('WEBGL_lose_context');
        const back = new Promise((done) => view.canvas.addEventListener('webglcontextrestored', done, { once: true }));
        card.loseContext();
        await new Promise((done) => setTimeout(done, 50));
        card.restoreContext();
        await back"""
    )
    assert shown(studio, 100, 60) == stub.space.palette[0]  # apart from the ring about the pointer
    assert shown(studio, 250, 100) == stub.space.palette[1]
    studio.context.close()


def test_every_tool_edits_and_locks_hold(studio: Studio, stub: Stub) -> None:
    page = studio.page
    page.keyboard.press("3")
    page.keyboard.press("f")
    page.mouse.click(*studio.point(200, 10))
    assert 0 not in studio.labels(), "fill takes the whole sky"
    page.keyboard.press("Control+z")

    page.keyboard.press("p")
    for corner in [(20, 10), (60, 10), (60, 40), (20, 40)]:
        page.mouse.click(*studio.point(*corner))
    page.mouse.click(*studio.point(20, 10))
    count = sum(label != old for label, old in zip(studio.labels(), stub.truth.ravel().tolist(), strict=True))
    assert 38 * 28 <= count <= 42 * 32
    page.keyboard.press("Control+z")

    page.keyboard.press("w")
    page.mouse.click(*studio.point(200, 10))
    assert studio.tell("return state.labels.counts[0]") == 0, "the wand finds the sky by its colour"
    page.keyboard.press("Control+z")

    page.keyboard.press("e")
    studio.drag((200, 10), (210, 10))
    assert studio.tell("return state.labels.at(205, 10)") == 255
    page.keyboard.press("Control+z")
    assert studio.labels() == stub.truth.ravel().tolist()

    page.keyboard.press("1")
    page.keyboard.press("l")
    page.keyboard.press("3")
    page.keyboard.press("b")
    studio.drag((200, 40), (200, 90))
    after = np.array(studio.labels()).reshape(stub.truth.shape)
    assert (after[stub.truth == 0] == 0).all(), "the locked sky"
    assert (after != stub.truth).any()
    page.keyboard.press("Control+z")
    page.keyboard.press("2")
    page.keyboard.press("k")
    page.keyboard.press("3")
    studio.drag((130, 60), (130, 190))
    after = np.array(studio.labels()).reshape(stub.truth.shape)
    assert set(stub.truth[after != stub.truth]) == {1}, "over buildings alone"


def test_a_click_is_answered_by_the_server(studio: Studio, stub: Stub) -> None:
    page = studio.page
    page.keyboard.press("4")
    page.keyboard.press("c")
    for turn, x in enumerate((200, 240)):
        page.mouse.click(*studio.point(x, 20))
        studio.until(IDLE)
        assert len(stub.clicks) == turn + 1
    after = np.array(studio.labels()).reshape(stub.truth.shape)
    assert (after[10:30, 190:210] == 3).all() and (after[10:30, 230:250] == 3).all()
    assert stub.clicks[0]["file"] and stub.clicks[0]["labels"] and "session" not in stub.clicks[0]
    assert stub.clicks[1]["session"] == b"s1" and "labels" not in stub.clicks[1]
    assert stub.clicks[1]["clicks"] == b'[{"x":200,"y":20,"class":3},{"x":240,"y":20,"class":3}]'
    names = [each["name"] for each in json.loads(stub.clicks[0]["classes"])]
    assert names == list(stub.space.names)
    page.keyboard.press("Control+z")
    page.mouse.click(*studio.point(150, 20))
    studio.until(IDLE)
    assert "labels" in stub.clicks[-1], "after an undo the server must be told the labels again"
    stub.forgets = True
    page.mouse.click(*studio.point(260, 20))
    studio.until(IDLE)
    assert "file" in stub.clicks[-1] and studio.tell("return state.labels.at(260, 20)") == 3


def test_the_keyboard_alone_paints(studio: Studio, stub: Stub) -> None:
    page = studio.page
    page.focus("#canvas")
    page.keyboard.press("5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+Enter")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+Enter")
    after = np.array(studio.labels()).reshape(stub.truth.shape)
    assert (after[90, 161:202] == 4).all()
    page.keyboard.press("p")
    for step in ["Shift+ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"]:
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press(step)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert studio.tell("return editor.history.past.length") == 2


def test_enter_fills_a_polygon_whose_corners_the_mouse_put_down(studio: Studio) -> None:
    page = studio.page
    page.keyboard.press("p")
    page.keyboard.press("4")
    for corner in ((20, 20), (60, 20), (60, 50)):
        page.mouse.click(*studio.point(*corner))
    page.keyboard.press("Enter")
    assert studio.tell("return [state.labels.at(55, 25), editor.history.past.length]") == [3, 1]
    page.keyboard.press("Enter")  # without corners it is the tool at the pointer: a new first corner
    assert studio.tell("return editor.history.past.length") == 1


def test_the_sheet_lists_the_keys_and_buttons_tell_theirs(studio: Studio) -> None:
    studio.page.keyboard.press("?")
    text = studio.page.inner_text("#sheet-keys")
    for title in ("Brush", "Undo", "Outlines only", "Lock the class", "Two models side by side"):
        assert title in text
    studio.page.keyboard.press("Escape")
    assert studio.page.get_attribute("#undo", "title") == "Undo (Ctrl Z)"
    unnamed = studio.tell(
        "return [...document.querySelectorAll('[data-action]')].filter((each) => !each.title).map((each) => each.id)"
    )
    assert unnamed == []


def test_showing_hiding_and_colouring_touch_the_palette_alone(studio: Studio, stub: Stub) -> None:
    studio.tell("view.opacity = 1; view.redraw()")
    version = studio.tell("return state.labels.version")
    studio.page.keyboard.press("1")
    studio.page.keyboard.press("h")
    hidden = shown(studio, 125, 10)
    assert hidden != stub.space.palette[0]
    studio.page.keyboard.press("h")
    studio.page.keyboard.press("2")
    studio.page.keyboard.press("s")
    assert shown(studio, 125, 10) == hidden and shown(studio, 250, 100) == stub.space.palette[1]
    studio.page.keyboard.press("s")
    studio.page.locator("#legend-list .swatch").first.fill("#123456")
    assert shown(studio, 125, 10) == (0x12, 0x34, 0x56)
    studio.page.keyboard.press("y")
    assert shown(studio, 125, 10) == (0x00, 0x72, 0xB2)
    studio.page.keyboard.press("t")
    assert shown(studio, 125, 10) == hidden
    assert studio.tell("return state.labels.version") == version


@pytest.mark.parametrize("query", ["?painter=gl", "?painter=flat"])
def test_two_models_side_by_side_and_their_difference(browser: Any, stub: Stub, query: str) -> None:
    studio = Studio(browser, stub, query)
    page = studio.page
    studio.tell("view.opacity = 1; view.redraw()")
    page.click("#panel-compare summary")
    page.select_option("#compare-with", "other")
    studio.until("#compare-result:not(:empty)")
    differ = 100 * float(np.mean(stub.truth != np.roll(stub.truth, 12, axis=1)))
    assert page.text_content("#compare-result") == f"{differ:.2f} % of the pixels differ."
    assert studio.tell("return view.panes().map((pane) => pane.source)") == [1, 2]
    y, x = (int(each[0]) for each in np.nonzero((stub.truth == 4) & (np.roll(stub.truth, 12, axis=1) != 4)))
    assert shown(studio, x, y) == stub.space.palette[4]
    half = studio.tell("return view.canvas.clientWidth / 2")
    assert shown(studio, x + half / studio.tell("return view.zoom"), y) != stub.space.palette[4]
    page.keyboard.press("d")
    marked, same = shown(studio, x, y), shown(studio, 250, 100)
    assert marked[0] > 150 and marked[1] < 90, "where they differ, in the mark's colour"
    assert max(same) - min(same) < 40, "elsewhere grey"
    page.keyboard.press("a")
    page.focus("#divider")
    page.keyboard.press("End")
    assert page.get_attribute("#divider", "aria-valuenow") == "100"
    studio.context.close()


@pytest.mark.parametrize("query", ["?painter=gl", "?painter=flat"])
def test_the_pointer_reads_class_and_confidence(browser: Any, stub: Stub, query: str) -> None:
    studio = Studio(browser, stub, query)
    studio.page.keyboard.press("u")
    studio.until("[data-action=uncertainty][aria-pressed=true]")
    studio.page.mouse.move(*studio.point(160, 100))
    assert studio.page.text_content("#readout") == "building · 50 % sure · 160, 100"
    unsure, sure = shown(studio, 310, 100), shown(studio, 8, 10)
    assert unsure[0] > 180 and unsure[0] > unsure[1] + 60, "red where the model is unsure"
    studio.page.keyboard.press("u")
    assert shown(studio, 310, 100) != unsure and shown(studio, 8, 10) == sure
    studio.context.close()


def test_what_is_painted_reaches_the_server(studio: Studio, stub: Stub) -> None:
    studio.drag((100, 100), (120, 100))
    studio.until(SAVED)
    assert stub.saved().ravel().tolist() == studio.labels()
    assert stub.stored["0"][0] == 1
    studio.drag((150, 100), (160, 100))
    studio.until("#saved:not([data-how=saved])")
    studio.until(SAVED)
    assert stub.stored["0"][0] == 2 and stub.saved().ravel().tolist() == studio.labels()


def killed_after_a_stroke(studio: Studio, stub: Stub) -> list[int]:
    """Paint while the server refuses, and kill the page; what it showed."""
    stub.refuse_labels = True
    studio.drag((100, 100), (140, 130))
    labels = studio.labels()
    studio.until(HERE)
    studio.page.locator("#message", has_text="Not yet saved").wait_for()  # no request is on its way any more
    with pytest.raises(Exception, match="crash"):
        studio.page.goto("chrome://crash", timeout=10_000)
    stub.refuse_labels = False
    assert stub.stored == {}
    return labels


def test_a_killed_page_loses_nothing_that_it_kept(studio: Studio, stub: Stub) -> None:
    labels = killed_after_a_stroke(studio, stub)
    page = studio.open()
    assert "is here again" in page.text_content("#message")  # which goes after a while
    assert studio.labels(page) == labels
    studio.until(SAVED, page)
    assert stub.saved().ravel().tolist() == labels


def test_what_a_killed_page_kept_does_not_go_over_what_others_saved(studio: Studio, stub: Stub) -> None:
    labels = killed_after_a_stroke(studio, stub)
    theirs = np.full_like(stub.truth, 2)
    stub.save_elsewhere(theirs)
    for _ in range(2):  # a page that goes without an answer is asked again
        page = studio.open()
        studio.until(CONFLICT, page)
        assert studio.labels(page)[110 * 320 + 110] == labels[110 * 320 + 110] == 0
        page.close()
    assert stub.saved().tolist() == theirs.tolist()
    page = studio.open()
    studio.until(CONFLICT, page)
    page.click("#conflict button[value=theirs]")
    studio.until(SAVED, page)
    assert studio.labels(page) == theirs.ravel().tolist() == stub.saved().ravel().tolist()


@pytest.mark.parametrize("answer", ["mine", "theirs", "compare"])
def test_two_tabs_on_one_picture_lose_nothing(studio: Studio, stub: Stub, answer: str) -> None:
    theirs = np.full_like(stub.truth, 2)
    stub.save_elsewhere(theirs)
    studio.drag((100, 100), (120, 100))
    mine = studio.labels()
    studio.until(CONFLICT)
    assert stub.saved().tolist() == theirs.tolist(), "a refused save changes nothing"
    studio.page.click(f"#conflict button[value={answer}]")
    if answer == "compare":
        studio.until("#message:text('Left: yours')")
        assert read(studio.tell(f"return {TOLD}(view.other.data)")).tolist() == theirs.ravel().tolist()
        studio.page.click("#saved")
        studio.page.click("#conflict button[value=mine]")
    studio.until(SAVED)
    if answer == "theirs":
        assert studio.labels() == theirs.ravel().tolist()
        studio.page.keyboard.press("Control+z")
        assert studio.labels() == mine, "undo brings one's own back"
    else:
        assert studio.labels() == mine and stub.saved().ravel().tolist() == mine
        assert stub.stored["0"][0] == 2


def test_the_key_is_asked_once(browser: Any) -> None:
    key = "schlüssel łódź"
    with Stub(key=key.encode().decode("latin-1")) as stub:  # as headers bring it
        context = browser.new_context()
        page = context.new_page()
        page.goto(stub.address)
        page.fill("#key", key)
        page.click("#ask-key button")
        page.wait_for_selector(OPENED)
        page.reload()
        page.wait_for_selector(OPENED)
        assert not page.evaluate("document.getElementById('ask-key').open")
        context.close()


@pytest.mark.parametrize("width", [360, 1200])
def test_everybody_can_use_the_page(browser: Any, width: int) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    with Stub(names=tuple(f"class {index}" for index in range(20))) as stub:
        studio = Studio(browser, stub)
        page = studio.page
        page.set_viewport_size({"width": width, "height": 560 if width < 400 else 700})
        page.click("#panel-compare summary")
        page.keyboard.press("a")
        page.evaluate(axe)
        found = check(page)
        assert not page.evaluate(OVERLAP, ["#tools", "#options"])
        page.keyboard.press("?")
        found += check(page, "#sheet")
        assert not page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(window['sheet-keys'])")
        page.keyboard.press("Escape")
        page.evaluate("document.getElementById('conflict').showModal()")
        found += check(page, "#conflict")
        assert found == []
        studio.tell("state.say('a long story '.repeat(20))")
        assert page.evaluate("document.body.scrollWidth") == width, "nothing lies beside the window"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert studio.complaints == []
        studio.context.close()


OVERLAP = """(names) => {
  const [one, other] = names.map((name) => document.querySelector(name).getBoundingClientRect());
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}"""


def check(page: Any, place: str = "html") -> list[str]:
    """What axe finds in a place, as scheme, rule and element."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = page.evaluate("async (place) => (await axe.run(place)).violations", place)
        found += [f"{scheme}, {each['id']}: {node['html'][:120]}" for each in results for node in each["nodes"]]
    return found


def test_labels_above_255_are_shown_and_saved(browser: Any) -> None:
    with Stub(names=tuple(f"class {index}" for index in range(300))) as stub:
        stub.truth = (np.arange(320 * 200).reshape(200, 320) % 300).astype(np.uint16)
        studio = Studio(browser, stub)
        assert studio.labels() == stub.truth.ravel().tolist()
        studio.tell("state.setCurrent(280)")
        studio.drag((100, 100), (120, 100))
        assert studio.tell("return state.labels.at(110, 100)") == 280
        studio.until(SAVED)
        assert stub.saved().ravel().tolist() == studio.labels()
        assert studio.complaints == []
        studio.context.close()


def test_long_names_of_classes_are_shown_whole(browser: Any) -> None:
    long = "a reinforced concrete retaining wall that carries the old railway", "x" * 60
    with Stub(names=("sky", *long)) as stub:
        studio = Studio(browser, stub)
        names = studio.page.locator("#legend-list .name")
        assert names.evaluate_all("all => all.map((one) => one.scrollWidth <= one.clientWidth)") == [True] * 3
        lines = names.locator("span").evaluate_all("all => all.map((one) => one.getClientRects()[0].height)")
        assert lines[1] > 2 * lines[0] and lines[2] > 1.5 * lines[0], "what does not fit goes on below"
        studio.context.close()
        assert studio.complaints == []


def test_a_panel_that_is_opened_comes_into_view(studio: Studio) -> None:
    studio.page.set_viewport_size({"width": 390, "height": 844})
    for room in ("project", "uses"):  # the panels below, without which there is nowhere to scroll to
        studio.page.evaluate(f"async () => {{ await (await import('/studio/js/{room}/index.js')).ready }}")
    studio.page.locator("#panel-compare summary").focus()
    studio.page.keyboard.press("Enter")
    tops = "() => ['side', 'panel-compare'].map((id) => document.getElementById(id).getBoundingClientRect().top)"
    studio.page.locator("#compare-with").wait_for()
    side, panel = studio.page.evaluate(tops)
    assert 0 <= panel - side <= 2, "its title is the first that one sees of what lies below the picture"
