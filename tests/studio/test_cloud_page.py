"""Point clouds in a browser at a real server: what is seen, what a lasso changes, undo, and what a toggle costs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs intarsia[serve]")
pytest.importorskip("laspy")

import laspy
from onnx_made import write_onnx
from PIL import Image
from studio.arrays import TOLD, read
from studio.programs import package
from studio.served import Served

from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels
from intarsia.serving.settings import Settings

SPACE = LabelSpace(("ground", "building"))
STAGE = (
    "const { stage } = await import('/studio/js/cloud/index.js'); const { state } = await import('/studio/js/main.js');"
)


def scan(path: Path, count: int = 60_000) -> Path:
    """A floor, and a block on it; the block is classified as a building."""
    random = np.random.default_rng(0)
    xyz = random.uniform(0, [100, 100, 0.2], (count, 3))
    block = slice(0, count // 3)
    xyz[block] = random.uniform([40, 40, 0], [60, 60, 20], (count // 3, 3))
    labels = np.zeros(count, np.uint8)
    labels[block] = 1
    cloud = PointCloud(xyz + np.array([5e5, 5e6, 100]), {"intensity": random.integers(0, 999, count).astype(np.uint16)})
    write_labels(open_cloud(cloud), path, labels, SPACE)
    return path


class Page(Served):
    """A server with a cloud, and a page that shows it."""

    def __init__(self, browser: Any, folder: Path, count: int = 60_000, **options: Any) -> None:
        data = folder / "data"
        data.mkdir()
        self.file = scan(data / "scan.las", count)
        light = str(write_onnx(folder / "light.onnx", stride=1))  # ready sooner than the models that are bundled
        settings = Settings(models=(light,), state=folder / "state", data=data, port=0)
        super().__init__(browser, settings, viewport={"width": 1200, "height": 800}, **options)

    def open(self) -> None:
        self.page.goto(self.address)
        self.page.locator("#panel-cloud .note", has_text="0 points").wait_for()

    def tell(self, script: str) -> Any:
        return self.page.evaluate(f"async () => {{ {STAGE} {script} }}")

    def until(self, condition: str) -> None:
        """Wait until something holds of the stage."""
        self.tell(f"const {{ view }} = stage;while (!({condition})) await new Promise((done) => setTimeout(done, 20));")

    def rest(self) -> None:
        """Wait until every point is on the screen."""
        self.until("stage.session?.isLoaded && view.drawn === view.loaded && !view.frame")

    def labels(self) -> np.ndarray:
        self.until("stage.session?.isLoaded")
        return read(self.tell(f"return {TOLD}(stage.session.labels)"))

    def shown(self) -> np.ndarray:
        """The colours of the view (H, W, 3)."""
        self.rest()
        with Image.open(io.BytesIO(self.page.locator("#cloud-canvas").screenshot())) as image:
            return np.asarray(image.convert("RGB"))

    def number(self, name: str) -> int:
        found: int = self.tell(f"return state.classes.find((each) => each.name === '{name}').index")
        return found

    def rgb(self, name: str) -> tuple[int, int, int]:
        text = self.tell(f"return state.classes.find((each) => each.name === '{name}').color")
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@pytest.fixture
def cloud(browser: Any, tmp_path: Path) -> Iterator[Page]:
    page = Page(browser, tmp_path)
    page.open()
    yield page
    page.close()
    assert page.complaints == page.console == []


def test_a_lasso_changes_the_points_in_it_and_undo_brings_them_back(cloud: Page) -> None:
    page, ground, building = cloud.page, cloud.number("ground"), cloud.number("building")
    before = cloud.labels()
    assert np.bincount(before)[[ground, building]].tolist() == [40_000, 20_000]
    seen = cloud.shown()
    share = (seen == cloud.rgb("building")).all(axis=2).mean()
    assert share > 0.01 and (seen == cloud.rgb("ground")).all(axis=2).mean() > 0.05
    page.keyboard.press("b")
    page.locator("#legend-list .name", has_text="ground").click()
    box = page.locator("#cloud-canvas").bounding_box()
    places = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
    page.mouse.up()
    page.locator("#message", has_text="20,000 points changed").wait_for()
    assert (cloud.labels() == ground).all()
    assert not (cloud.shown() == cloud.rgb("building")).all(axis=2).any()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download with labels").click()
    written = laspy.read(waiting.value.path())
    assert waiting.value.suggested_filename == "scan.las" and set(np.asarray(written.classification)) == {2}
    page.keyboard.press("Control+z")
    cloud.until("stage.session.revision === 2")
    assert (cloud.labels() == before).all()
    assert (cloud.shown() == cloud.rgb("building")).all(axis=2).mean() == pytest.approx(share, abs=0.002)


def test_the_legend_hides_locks_and_a_polygon_by_keys_obeys(cloud: Page) -> None:
    page = cloud.page
    page.locator("#legend-list .row", has_text="building").hover()
    page.get_by_role("button", name="Show building", exact=True).click()
    assert not (cloud.shown() == cloud.rgb("building")).all(axis=2).any()
    page.keyboard.press("p")
    box = page.locator("#cloud-canvas").bounding_box()
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)):  # as fast as they come: none is a double click
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    assert cloud.tell("return stage.gestures.line.length") == 4
    page.keyboard.press("Escape")
    page.locator("#cloud-canvas").focus()
    for keys in (["ArrowLeft"] * 8 + ["ArrowUp"] * 8, ["ArrowRight"] * 16, ["ArrowDown"] * 16, ["ArrowLeft"] * 16):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Enter")
    cloud.tell(f"state.setCurrent({cloud.number('building')})")
    before = cloud.labels()
    page.keyboard.press("Enter")
    page.locator("#message", has_text="points changed").wait_for()
    after = cloud.labels()
    changed = before != after
    assert changed.any() and set(before[changed]) == {cloud.number("ground")}


def test_a_toggle_writes_the_palette_alone(cloud: Page) -> None:
    cloud.rest()
    cloud.tell(
        "const { gl } = stage.view.painter; window.bytes = 0; const put = gl.bufferSubData.bind(gl);"
        "gl.bufferSubData = (...all) => { window.bytes += all[2].byteLength; put(...all); };"
        "const image = gl.texImage2D.bind(gl);"
        "gl.texImage2D = (...all) => { window.texels = all[3] * all[4]; image(...all); };"
    )
    cloud.page.keyboard.press("h")
    cloud.rest()
    assert cloud.page.evaluate("[window.bytes, window.texels]") == [0, 256]


def test_views_by_mouse_and_keys_and_modes(cloud: Page) -> None:
    page = cloud.page
    page.locator("#cloud-canvas").focus()
    first = cloud.shown()
    for key in ("ArrowLeft", "+", "Shift+ArrowUp"):
        page.keyboard.press(key)
        assert (cloud.shown() != first).any(axis=2).mean() > 0.02, key
    page.keyboard.press("Home")
    cloud.tell("stage.view.camera.look(-0.6, 0.75); stage.view.redraw()")
    inside = (slice(4, -4), slice(4, -4))  # of the ring that tells the focus
    assert (cloud.shown()[inside] == first[inside]).all()
    page.get_by_role("button", name="Height", exact=True).click()
    by_height = cloud.shown()
    assert (by_height != first).any(axis=2).mean() > 0.05
    assert page.get_by_role("button", name="Colour", exact=True).is_disabled()
    page.get_by_label("Lowest height").fill("500")
    assert (cloud.shown() != by_height).any(axis=2).mean() > 0.05


def test_the_picture_after_a_cloud_is_seen(cloud: Page) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(file, "PNG")
    photo = {"name": "view.png", "mimeType": "image/png", "buffer": file.getvalue()}
    assert cloud.page.request.post(f"{cloud.address}/v1/project/items", multipart={"file": photo}).ok
    cloud.page.goto(cloud.address)
    cloud.page.locator(".pictures .picture").first.click()
    cloud.page.locator("#panel-cloud .note", has_text="0 points").wait_for()
    wait = "while (!state.photo || stage.session) await new Promise(requestAnimationFrame);"
    picture = "const { view } = await import('/studio/js/main.js');"
    for window in ({"width": 1100, "height": 700}, None):  # resized while the picture's canvas is hidden, or not
        if window is not None:
            cloud.page.set_viewport_size(window)
            cloud.page.wait_for_timeout(100)
        cloud.page.locator(".pictures .picture").nth(1).click()
        told = cloud.tell(f"{picture} {wait} return [view.canvas.width, view.zoom, view.pointOf(31.5, 23.5).x];")
        assert told[0] > 300 and told[1] > 2 and 0.4 < told[2] / told[0] < 0.6, "it fills the stage, in its middle"
        cloud.page.locator(".pictures .picture").first.click()
        cloud.tell("while (!stage.session) await new Promise(requestAnimationFrame);")


def test_the_page_is_accessible(cloud: Page) -> None:
    cloud.page.evaluate((package("axe-core") / "axe.min.js").read_text("utf-8"))
    for scheme in ("light", "dark"):
        cloud.page.emulate_media(color_scheme=scheme)
        found = cloud.page.evaluate("async () => (await axe.run()).violations")
        assert [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]] == [], scheme


def test_without_webgl2_people_are_told(browser: Any, tmp_path: Path) -> None:
    cloud = Page(browser, tmp_path)
    try:
        cloud.page.add_init_script(
            "const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext = "
            "function (kind, ...rest) { return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };"
        )
        cloud.page.goto(cloud.address)
        cloud.page.locator(".pictures .picture").first.click()
        cloud.page.locator("#cloud-hint", has_text="no WebGL2").wait_for()
    finally:
        cloud.close()
    assert cloud.complaints == cloud.console == []


def test_a_large_cloud_comes_in_parts_and_is_shown_whole(browser: Any, tmp_path: Path) -> None:
    cloud = Page(browser, tmp_path, 750_000)
    parts: list[str] = []
    cloud.page.on("request", lambda request: parts.extend(re.findall(r"first=\d+&count=\d+", request.url)))
    try:
        cloud.page.goto(cloud.address)
        cloud.page.locator("#panel-cloud .note", has_text="750,000 points").wait_for(timeout=120_000)
        cloud.rest()
        assert cloud.tell("return [stage.view.loaded, stage.view.drawn]") == [750_000, 750_000]
        assert parts == ["first=0&count=200000", "first=200000&count=500000", "first=700000&count=500000"]
        labels = cloud.labels()
        assert np.bincount(labels)[[cloud.number("ground"), cloud.number("building")]].tolist() == [500_000, 250_000]
    finally:
        cloud.close()
    assert cloud.complaints == cloud.console == []
