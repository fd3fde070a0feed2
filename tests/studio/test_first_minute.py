"""What a newcomer sees first: the sample segmented, every panel, and the page of the API; at the server itself."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio.arrays import TOLD, read
from studio.film import Film, along
from studio.programs import package

pytest.importorskip("fastapi", reason="needs intarsia[serve]")

import uvicorn

from intarsia.serving.app import create_app
from intarsia.serving.running import address, listen
from intarsia.serving.settings import Settings

PATIENCE = 60_000  # milliseconds, of networks on busy machines
SAMPLE = Path(__file__).parents[2] / "intarsia" / "serving" / "samples" / "astronaut.jpg"

SEGMENTED = f"""async () => {{
  const {{ state }} = await import("/studio/js/state.js");
  while (!state.labels?.data.includes(1)) await new Promise((done) => setTimeout(done, 20));
  return {TOLD}(state.labels.data);
}}"""

PLACE = """async ([x, y]) => {
  const { view } = await import("/studio/js/main.js");
  const frame = view.canvas.getBoundingClientRect();
  const point = view.pointOf(x, y);
  return [frame.x + point.x, frame.y + point.y];
}"""

CLASS_IS = """async ([x, y, label]) => {
  const { state } = await import("/studio/js/state.js");
  return state.labels.data[y * state.labels.width + x] === label;
}"""


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = Settings(models=("person",), state=tmp_path_factory.mktemp("state"), port=0)
    socket = listen(settings)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None, ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([socket])))
    thread.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=address(socket))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    server.should_exit = True
    thread.join()
    assert complaints == []


def accessible(page: Any) -> list[str]:
    page.evaluate((package("axe-core") / "axe.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations.map((one) => `${one.id}: ${one.nodes[0].html}`)")
    return list(found)


def test_the_sample_is_segmented_as_soon_as_the_page_is_open(page: Any) -> None:
    page.goto("/")
    labels = read(page.evaluate(SEGMENTED))
    answer = page.request.post("/v1/segment", multipart={"file": {
        "name": "astronaut.jpg", "mimeType": "image/jpeg", "buffer": SAMPLE.read_bytes(),
    }})  # fmt: skip
    mask = np.asarray(Image.open(io.BytesIO(answer.body())))
    assert np.array_equal(labels.reshape(mask.shape), mask)
    page.wait_for_selector("#panel-live-camera")
    assert accessible(page) == []


def test_a_click_and_a_stroke_correct_the_sample_and_export_is_at_hand(page: Any) -> None:
    folder = os.environ.get("STUDIO_PICTURES")
    film = Film(Path(folder) / "studio.webp" if folder else None)
    page.goto("/")
    before = page.evaluate(SEGMENTED)
    page.wait_for_selector("#panel-export")
    page.locator("#canvas").focus()
    page.keyboard.press("t")
    film.take(page, 1100)
    page.keyboard.press("t")
    film.take(page, 1600)
    page.keyboard.press("c")
    page.keyboard.press("1")
    helmet = page.evaluate(PLACE, [380, 440])  # is no person
    page.mouse.move(*helmet)
    film.take(page, 900, helmet)
    with page.expect_response("**/v1/segment/interactive*") as clicked:
        page.mouse.click(*helmet)
    assert clicked.value.ok
    page.wait_for_function(CLASS_IS, arg=[380, 440, 0])
    film.take(page, 1500, helmet)
    page.keyboard.press("2")
    page.keyboard.press("b")
    stroke = [page.evaluate(PLACE, place) for place in ([284, 352], [294, 359], [304, 366])]  # what went too far
    page.mouse.move(*stroke[0])
    page.mouse.down()
    for place in along(stroke, 5):
        page.mouse.move(*place)
        film.take(page, 110, place)
    page.mouse.up()
    assert page.evaluate(SEGMENTED) != before and page.evaluate(CLASS_IS, [294, 359, 1])
    film.take(page, 900, stroke[-1])
    page.locator("#panel-export summary").click()
    page.locator("#panel-export select option").first.wait_for(state="attached")
    film.take(page, 2200)
    film.save()
    assert accessible(page) == []
    if folder:
        page.screenshot(path=Path(folder) / "studio-correct.jpg", type="jpeg", quality=85)


def test_the_api_tells_of_itself(page: Any) -> None:
    page.goto("/docs")
    page.wait_for_selector("main[aria-busy]", state="detached")
    assert page.locator("summary", has_text="/v1/segment").first.is_visible()
    section = page.locator("details", has_text="/v1/render").first
    section.locator("summary").click()
    assert "curl -F file=@photo.jpg" in section.inner_text()
    assert accessible(page) == []
