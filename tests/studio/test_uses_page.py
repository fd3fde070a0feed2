"""The panels of the uses and the live page, in a browser at the server itself."""

from __future__ import annotations

import base64
import io
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faces_drawn import drawn_face, drawn_points
from PIL import Image
from studio.programs import CHROMIUM, chromium, package

pytest.importorskip("fastapi", reason="needs intarsia[serve]")

import uvicorn

from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

PATIENCE = 60_000  # milliseconds, of networks on busy machines
NAVY = "#000080"
CANVAS = "document.querySelector('#live canvas')"
PIXEL = f"((x, y) => {CANVAS}.getContext('2d').getImageData(x, y, 1, 1).data)"


class Page:
    """The studio with a drawn face as its picture."""

    def __init__(self, browser: Any, address: str) -> None:
        self.context = browser.new_context(viewport={"width": 1300, "height": 1300}, accept_downloads=True)
        self.complaints: list[str] = []
        page = self.page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(address)
        page.evaluate("async () => { await (await import('/studio/js/uses/index.js')).ready }")
        self.show(face_png())

    def show(self, photo: bytes) -> None:
        """Make a photo the open picture."""
        script = """async (text) => {
          const { state } = await import('/studio/js/state.js');
          const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const photoFile = new Blob([bytes], { type: 'image/png' });
          const item = { id: '0', name: 'shop/her.png', medium: 'picture', width: 320, height: 400, revision: 0,
            state: 'new', uncertainty: null };
          Object.assign(state, { item, photoFile, photo: await createImageBitmap(photoFile), labels: null });
          state.emit('item');
        }"""
        self.page.evaluate(script, base64.b64encode(photo).decode())

    def photograph(self, element: Any, name: str) -> None:
        """Keep what is seen of an element as a picture for the documentation, if somebody asked for pictures."""
        if folder := os.environ.get("STUDIO_PICTURES"):
            element.screenshot(path=Path(folder) / f"{name}.jpg", type="jpeg", quality=85)

    def open(self, name: str) -> Any:
        """Open the panel of a use."""
        panel = self.page.locator(f"#panel-{name}")
        panel.locator("summary").click()
        panel.locator(".panel-body > *").first.wait_for()
        return panel


def face_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawn_face()).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(models=("person",), state=tmp_path_factory.mktemp("state"))
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def shown(browser: Any, address: str) -> Iterator[Page]:
    page = Page(browser, address)
    yield page
    page.context.close()
    assert page.complaints == []


def test_a_portrait_is_made_compared_downloaded_and_said_elsewhere(shown: Page, address: str, tmp_path: Path) -> None:
    panel, page = shown.open("use-portrait"), shown.page
    assert "Only with the consent of those who are in the picture" in panel.inner_text()
    panel.locator("[data-ground]").select_option("colour")
    assert not panel.get_by_text("Blur", exact=True).is_visible()
    panel.locator("input[type=color]").fill(NAVY)
    panel.get_by_role("button", name="Apply").click()
    panel.locator(".use-answer img").wait_for()
    with page.expect_download() as loading:
        panel.locator(".use-download").click()
    assert loading.value.suggested_filename == "her.portrait.png"
    loading.value.save_as(tmp_path / "made.png")
    made = np.asarray(Image.open(tmp_path / "made.png"))
    assert made.shape == (400, 320, 3) and made[2, 2].tolist() == [0, 0, 128]
    shown.photograph(panel, "studio-uses")
    page.locator("#use-beside input").fill("25")
    clip = "document.querySelector('#use-beside img:last-child').style.clipPath"
    assert page.evaluate(clip) == "inset(0px 0px 0px 25%)"
    page.locator("#use-beside").get_by_role("button", name="Close").click()
    said = {}
    for title in ("curl", "shell", "Python"):
        panel.get_by_role("button", name=f"Copy as {title}").click()
        said[title] = panel.locator("textarea").input_value()
    assert said["curl"] == f"curl -f -F file=@her.png -OJ '{address}/v1/composite/portrait?background=%23000080'"
    assert said["shell"] == f"intarsia portrait her.png --background '{NAVY}'"
    assert f'portrait("her.png", background="{NAVY}").save("her.portrait.png")' in said["Python"]


def test_what_is_wrong_is_said_in_the_panel(shown: Page) -> None:
    panel = shown.open("use-makeup")
    panel.locator(".use-field", has_text="Lips").locator("input[type=checkbox]").uncheck()
    panel.get_by_role("button", name="Apply").click()
    said = panel.get_by_role("alert").inner_text()
    assert said == "nothing to paint: say one of lips, hair, skin, eyes and brows at least", "no option of a shell"


def test_a_first_try_shows_something_and_fills_the_room(shown: Page) -> None:
    panel, page = shown.open("use-makeup"), shown.page
    panel.get_by_role("button", name="Apply").click()
    panel.locator(".use-answer img").wait_for()
    assert "faces" in panel.locator(".use-facts").inner_text()
    room, stage = page.locator("#use-beside .use-beside"), page.locator("#stage")
    assert room.bounding_box() == stage.bounding_box()
    assert page.locator("#use-beside img").count() == 2
    page.keyboard.press("Escape")
    assert page.locator("#use-beside").count() == 0
    panel.locator(".use-answer").click()
    page.locator("#use-beside").wait_for()
    page.locator('[data-action="outlines"]').click()  # of the picture below, which has to be seen
    assert page.locator("#use-beside").count() == 0
    tryon = shown.open("use-tryon")
    assert tryon.locator("input[type=checkbox]").first.is_checked()
    assert tryon.get_by_role("combobox").input_value() == "upper"


def test_photos_that_look_alike_are_shown_in_their_order(shown: Page, tmp_path: Path) -> None:
    for name, colour in (("red", (200, 20, 30)), ("green", (20, 160, 40))):
        photo = np.full((96, 96, 3), 230, np.uint8)
        photo[30:70, 30:70] = colour
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    shown.show((tmp_path / "red.png").read_bytes())
    panel = shown.open("use-search")
    panel.get_by_label("The pictures of the project").uncheck()
    panel.locator("input[type=file][multiple]").set_input_files(tmp_path / "red.png")
    panel.get_by_role("button", name="Apply").click()
    panel.get_by_text("The only photo there is this one").wait_for()
    panel.locator("input[type=file][multiple]").set_input_files([tmp_path / "green.png", tmp_path / "red.png"])
    panel.get_by_role("button", name="Apply").click()
    panel.locator(".use-matches li").wait_for()
    assert "green.png" in panel.locator(".use-matches").inner_text(), "the photo itself is no answer"
    assert panel.locator(".use-matches img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 96


def test_everybody_can_use_the_panels(shown: Page) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    for name in ("use-portrait", "use-makeup", "use-tryon", "use-search", "live-camera"):
        shown.open(name)
    shown.page.evaluate(axe)
    assert violations(shown.page) == []
    shown.page.get_by_role("button", name="Open the live page").click()
    assert violations(shown.page) == []


def violations(page: Any) -> list[str]:
    """What axe finds in the panels and dialogs, as rule and element."""
    where = "{ include: [['#panels'], ['dialog[open]']] }"
    found = page.evaluate(f"async () => (await axe.run({where})).violations")
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def until(page: Any, condition: str) -> None:
    """Wait until a condition holds; the page's policy lets nothing else evaluate it in between."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Any]:
    """A browser whose camera shows a drawn face; a second one, so the first gives the program that starts it."""
    clip = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    frames = (drawn_face((480, 640), (drawn_points((320 + shift, 200)),)) for shift in range(0, 40, 4))
    with clip.open("wb") as file:
        for frame in frames:
            Image.fromarray(frame).save(file, "JPEG", quality=95)
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags = [*CHROMIUM, *flags, f"--use-file-for-fake-video-capture={clip}"]
    opened = browser.browser_type.launch(executable_path=chromium(), args=flags)
    yield opened
    opened.close()


def test_the_camera_is_shown_before_another_background_with_its_delay(camera: Any, address: str) -> None:
    shown = Page(camera, f"{address}/#live")
    page, live = shown.page, shown.page.locator("#live")
    asked: list[str] = []
    pending = most = 0

    def begins(request: Any) -> None:
        nonlocal pending, most
        if request.method == "POST":
            asked.append(request.url)
            pending += 1
            most = max(most, pending)

    def ends(request: Any) -> None:
        nonlocal pending
        pending -= request.method == "POST"

    page.on("request", begins)
    page.on("requestfinished", ends)
    page.on("requestfailed", ends)
    live.locator("#live-mode").select_option(label="Background")
    live.locator("[data-ground]").select_option("colour")
    live.locator("input[type=color]").fill(NAVY)
    live.get_by_role("button", name="Start the camera").click()
    page.locator("#live-meter", has_text=re.compile(r"^[1-9].*server: .*predict")).wait_for()
    until(page, f"{PIXEL}(5, 5)[0] < 40 && {PIXEL}(5, 5)[2] > 90")
    assert page.evaluate(f"[{CANVAS}.width, {CANVAS}.height]") == [640, 480]
    assert page.evaluate(f"{PIXEL}(320, 240)[0]") > 150, "the face stays what it is"
    shown.photograph(live, "studio-live")
    live.locator("#live-mode").select_option(label="Make-up")
    live.locator(".use-field", has_text="Lips").locator("input[type=checkbox]").check()
    until(page, f"{PIXEL}(5, 5)[0] > 80")
    live.get_by_role("button", name="Stop").click()
    live.get_by_role("button", name="Start the camera").wait_for()
    assert most == 1, "never two frames on their way"
    for use in ("background", "makeup"):
        assert any(f"/composite/{use}?" in url and "session=" in url for url in asked)
    page.keyboard.press("Escape")
    live.wait_for(state="detached")
    assert shown.complaints == []
    shown.context.close()
