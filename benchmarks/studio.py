"""The studio's page beside the bounds we set: strokes, toggles, undo and drafts in Chromium without a graphics card.

Milliseconds from a movement of the brush to its pixels, of showing or hiding a class, of undo, and until a stroke is
kept in the browser. The server is the one of the page's tests, so that only the page is measured; but for the time from
the address to the sample with its labels, and for a cloud of two million points that is turned, which `intarsia serve`
itself answers.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import Row, arguments, report

if TYPE_CHECKING:
    from stub import Stub

sys.path.append(str(Path(__file__).parents[1] / "tests" / "studio"))

WINDOW = {"width": 1400, "height": 900}
# Megapixels -> sides of a drawn scene, how many times it is magnified, and the bound of a stroke in milliseconds.
SIZES = {16: (1330, 758, 4, 16.0), 64: (1155, 866, 8, 33.0)}
TOGGLE, KEPT, OPENED = 16.0, 1000.0, 1000.0
POINTS = 2_000_000

# From the event to the picture with its pixels: `work` is what the page computes, `seen` also waits for the frame.
WATCH = """
async () => {
  const { view } = await import('/studio/js/main.js');
  window.took = { work: [], seen: [] };
  let start = 0;
  addEventListener('pointermove', () => (start = performance.now()), true);
  addEventListener('pointermove', (event) => {
    if (!event.buttons) return;
    const began = start;
    const handled = performance.now() - began;
    const flush = view.flush;
    let drawing = 0;
    view.flush = () => {
      const from = performance.now();
      flush.call(view);
      view.painter.finish();
      drawing = performance.now() - from;
    };
    requestAnimationFrame(() => {
      view.flush = flush;
      took.work.push(handled + drawing);
      took.seen.push(performance.now() - began);
    });
  });
}
"""

TOGGLES = """
async (count) => {
  const { view, state } = await import('/studio/js/main.js');
  const took = [];
  for (let i = 0; i < count; i++) {
    const eye = document.querySelectorAll('#legend-list .eye')[i % state.classes.length];
    await new Promise(requestAnimationFrame);
    const from = performance.now();
    eye.click();
    view.flush();
    view.painter.finish();
    took.push(performance.now() - from);
  }
  return took;
}
"""

UNDO = """
async () => {
  const { editor, view } = await import('/studio/js/main.js');
  const took = [];
  const bytes = editor.history.bytes;
  while (editor.history.past.length) {
    await new Promise(requestAnimationFrame);
    const from = performance.now();
    editor.undo();
    view.flush();
    view.painter.finish();
    took.push(performance.now() - from);
  }
  return { took, bytes };
}
"""


def late(values: list[float]) -> float:
    """The value that 95 of 100 stay below."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def stroke(page: Any, moves: int, line: int) -> None:
    """Drag over the picture by real movements of the mouse, right of the tools."""
    y = 200 + 37 * line % 400
    page.mouse.move(260, y)
    page.mouse.down()
    for step in range(moves):
        page.mouse.move(260 + 700 * step / moves, y + 40 * (step % 7) / 7)
    page.mouse.up()


def opened(browser: Any, stub: Stub, query: str) -> Any:
    page = browser.new_page(viewport=WINDOW)
    page.goto(stub.address + query)
    page.evaluate("async () => { await (await import('/studio/js/main.js')).started }")
    page.evaluate(WATCH)
    return page


def row(case: str, metric: str, unit: str, ours: float, bound: float | None) -> Row:
    ratio = None if bound is None else bound / max(ours, 1e-9)
    return Row(case, metric, unit, ours, bound, "" if bound is None else "bound", ratio)


def measure(browser: Any, megapixels: int, query: str, *, quick: bool) -> list[Row]:
    """All rows of one size and one way of drawing."""
    from stub import Stub

    width, height, magnified, bound = SIZES[megapixels]
    strokes, moves = (4, 15) if quick else (10, 30)
    names = tuple(f"class {index}" for index in range(150))
    with Stub(width, height, names, magnified=magnified) as stub:
        page = opened(browser, stub, query)
        painter = page.evaluate("async () => (await import('/studio/js/main.js')).view.painter.constructor.name")
        rows = []
        for zoom in ("whole", "1:1"):
            case = f"{megapixels} MP, {painter}, {zoom}"
            page.keyboard.press("Home" if zoom == "whole" else "End")
            page.wait_for_timeout(1000)  # tiles of the photo that are seen for the first time
            page.evaluate("took.work.length = took.seen.length = 0")
            for line in range(strokes):
                page.keyboard.press(str(line % 10))
                stroke(page, moves, line)
            took = page.evaluate("took")
            rows.append(row(case, "stroke to pixel p95", "ms", late(took["work"]), bound))
            rows.append(row(case, "with the wait for the frame p95", "ms", late(took["seen"]), None))
        settle(page)
        toggled = page.evaluate(TOGGLES, 20 if quick else 60)
        rows.append(row(case, "a class of 150 shown or hidden p50", "ms", statistics.median(toggled), TOGGLE))
        rows.append(row(case, "a class of 150 shown or hidden p95", "ms", late(toggled), TOGGLE))
        undone = page.evaluate(UNDO)
        rows.append(row(case, "undo p95", "ms", late(undone["took"]), None))
        rows.append(row(case, f"history of {len(undone['took'])} strokes", "MB", undone["bytes"] / 1e6, None))
        rows.append(row(case, "stroke kept in the browser after", "ms", kept(page), KEPT))
        page.close()
    return rows


# Waited for by an event: whoever asks in every frame has the page draw every frame.
SEGMENTED = """
async () => {
  const { state } = await import('/studio/js/state.js');
  if (!state.labels) await new Promise((done) => state.on('labels', () => state.labels && done()));
  await new Promise(requestAnimationFrame);
  return performance.now();
}
"""


@contextmanager
def served(folder: Path, *data: Path) -> Iterator[str]:
    """The address of `intarsia serve`, which keeps its state in a folder."""
    words = ["serve", *map(str, data), "--port", "0", "--state", str(folder / "state")]
    with subprocess.Popen([sys.executable, "-m", "intarsia", *words], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.:]+", line)))
        finally:
            server.terminate()


def first_minute(browser: Any, *, quick: bool) -> list[Row]:
    """From the address of a server that is ready to the sample with its labels: for the first time, and again."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        page = browser.new_page(viewport=WINDOW)
        while not page.request.get(f"{address}/readyz").ok:
            page.wait_for_timeout(100)
        took = []
        for _ in range(3 if quick else 6):
            page.goto(address)
            took.append(page.evaluate(SEGMENTED))
        page.close()
    case = "intarsia serve, a sample of 0.3 MP"
    return [
        row(case, "open, segmented for the first time", "ms", took[0], OPENED),
        row(case, "open again p50", "ms", statistics.median(took[1:]), OPENED),
    ]


# The time of a picture of a cloud that is turned: of the part that is drawn while a hand moves it, and of all points.
TURNED = """
async (count) => {
  const { stage } = await import('/studio/js/cloud/index.js');
  while (!stage.session?.isLoaded || stage.view.drawn < stage.view.loaded || stage.view.frame)
    await new Promise((done) => setTimeout(done, 20));
  const { view } = stage;
  const { gl } = view.painter;
  const pixel = new Uint8Array(4);
  const time = (points) => {
    const from = performance.now();
    view.camera.turn += 0.02;
    view.painter.draw(view.scene(), 0, points);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    return performance.now() - from;
  };
  const turned = (points) => Array.from({ length: count }, () => time(points));
  return { points: view.loaded, part: turned(view.budget), whole: turned(view.loaded), budget: view.budget };
}
"""


def turned(browser: Any, *, quick: bool) -> list[Row]:
    """A cloud of two million points under the hand."""
    from intarsia.labels import LabelSpace
    from intarsia.media.clouds import PointCloud, open_cloud, write_labels

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        xyz = np.random.default_rng(0).uniform(0, [100, 100, 20], (POINTS, 3))
        write_labels(
            open_cloud(PointCloud(xyz, {})), data / "scan.las", np.zeros(POINTS, np.uint8), LabelSpace(("ground",))
        )
        with served(Path(folder), data) as address:
            page = browser.new_page(viewport=WINDOW)
            page.goto(address)
            page.locator("#panel-cloud .note", has_text=f"{POINTS:,} points").wait_for(timeout=120_000)
            took = page.evaluate(TURNED, 5 if quick else 15)
            page.close()
    if took["points"] != POINTS:
        raise SystemExit(f"{took['points']:,} of {POINTS:,} points came")
    case = "2 million points, software GL"
    return [
        row(case, f"a turn of the {took['budget']:,} drawn meanwhile p50", "ms", statistics.median(took["part"]), None),
        row(case, "all of them p50", "ms", statistics.median(took["whole"]), None),
    ]


def settle(page: Any) -> None:
    """Wait until the server has everything, so that saving is not measured with what follows."""
    page.wait_for_timeout(1000)
    page.wait_for_selector("#saved[data-how=saved]")


def kept(page: Any) -> float:
    """Milliseconds from the end of a stroke until the browser's database has it."""
    settle(page)
    page.evaluate(
        """async () => {
          const { state } = await import('/studio/js/main.js');
          window.keptAt = new Promise((done) => {
            state.on('saved', (how) => window.upAt && how === 'here' && done(performance.now()));
          });
          addEventListener('pointerup', () => (window.upAt = performance.now()), { once: true, capture: true });
        }"""
    )
    stroke(page, 10, 3)
    took: float = page.evaluate("async () => (await keptAt) - upAt")
    return took


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    from playwright.sync_api import sync_playwright
    from programs import CHROMIUM

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        for megapixels in (16,) if options.quick else tuple(SIZES):
            rows += measure(browser, megapixels, "/", quick=options.quick)
        rows += measure(browser, 16, "/?painter=gl", quick=options.quick)
        rows += first_minute(browser, quick=options.quick)
        rows += turned(browser, quick=options.quick)
        browser.close()
    report("The studio", rows, options.json, threads=os.cpu_count() or 1)


if __name__ == "__main__":
    main()
