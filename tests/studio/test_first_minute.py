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
from studio.programs import package

pytest.importorskip("fastapi", reason="needs intarsia[serve]")

import uvicorn

from intarsia.serving.app import create_app
from intarsia.serving.running import address, listen
from intarsia.serving.settings import Settings

PATIENCE = 60_000  # milliseconds, of networks on busy machines
SAMPLE = Path(__file__).parents[2] / "intarsia" / "serving" / "samples" / "astronaut.jpg"

SEGMENTED = """async () => {
  const { state } = await import("/studio/js/state.js");
  while (!state.labels?.data.includes(1)) await new Promise((done) => setTimeout(done, 20));
  return [...state.labels.data];
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
    labels = page.evaluate(SEGMENTED)
    answer = page.request.post("/v1/segment", multipart={"file": {
        "name": "astronaut.jpg", "mimeType": "image/jpeg", "buffer": SAMPLE.read_bytes(),
    }})  # fmt: skip
    mask = np.asarray(Image.open(io.BytesIO(answer.body())))
    assert np.array_equal(np.array(labels, np.uint8).reshape(mask.shape), mask)
    page.wait_for_selector("#panel-live-camera")
    assert accessible(page) == []
    if folder := os.environ.get("STUDIO_PICTURES"):
        page.screenshot(path=Path(folder) / "studio.jpg", type="jpeg", quality=85)


def test_the_api_tells_of_itself(page: Any) -> None:
    page.goto("/docs")
    page.wait_for_selector("main[aria-busy]", state="detached")
    assert page.locator("summary", has_text="/v1/segment").first.is_visible()
    section = page.locator("details", has_text="/v1/render").first
    section.locator("summary").click()
    assert "curl -F file=@photo.jpg" in section.inner_text()
    assert accessible(page) == []
