"""A page of the studio, and what tests do with it."""

from __future__ import annotations

import time
from typing import Any

from studio.arrays import TOLD, read
from studio.stub import Stub

SITUATION = """const shown = (id) => document.getElementById(id)?.textContent.trim();
return { said: shown("message"), busy: shown("busy"), heard: window.heard,
         focus: document.activeElement?.outerHTML.slice(0, 200),
         past: editor.history?.past.length, item: state.item };"""

HEARD = "window.heard = []; addEventListener('keydown', ({ key }) => window.heard.push(key), { capture: true })"
"""Notes the keys that reach a page, whatever it does with them."""


class Studio:
    """A page that is open, and what it complained about."""

    def __init__(self, browser: Any, stub: Stub, query: str = "", **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1200, "height": 800}, **options)
        # A page that runs may ask past the first route that is set on it; of one that began with a route, none does.
        self.context.route("**/asked-by-nobody", lambda route: route.abort())
        self.stub, self.query = stub, query
        self.complaints: list[str] = []
        self.page = self.open()

    def open(self) -> Any:
        """Open one more tab and wait for its picture."""
        page = self.context.new_page()
        page.add_init_script(HEARD)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(self.stub.address + "/" + self.query)
        page.evaluate("async () => { await (await import('/studio/js/main.js')).started }")
        return page

    def tell(self, expression: str, page: Any = None) -> Any:
        """Evaluate an expression over the modules' `state`, `editor` and `view`."""
        script = f"async () => {{ const {{ state, editor, view }} = await import('/studio/js/main.js'); {expression} }}"
        return (page or self.page).evaluate(script)

    def labels(self, page: Any = None) -> list[int]:
        """Every label of the map."""
        labels: list[int] = read(self.tell(f"return {TOLD}(state.labels.data)", page)).tolist()
        return labels

    def point(self, x: float, y: float, page: Any = None) -> tuple[float, float]:
        """Where the page shows the centre of a pixel."""
        frame = "const frame = view.canvas.getBoundingClientRect();"
        point = f"const point = view.pointOf({x}, {y});"
        at = self.tell(f"{frame} {point} return [frame.x + point.x, frame.y + point.y]", page)
        return at[0], at[1]

    def drag(self, *places: tuple[float, float], page: Any = None) -> None:
        """Drag over places of the picture."""
        shown = page or self.page
        first, *others = [self.point(*place, page) for place in places]
        shown.mouse.move(*first)
        shown.mouse.down()
        for place in others:
            shown.mouse.move(*place)
        shown.mouse.up()

    def until(self, selector: str, page: Any = None) -> None:
        """Wait until an element is there."""
        (page or self.page).wait_for_selector(selector, state="attached")

    def until_labels(self, expected: list[int]) -> None:
        """Wait until the map has these labels."""
        end = time.monotonic() + 60
        while self.labels() != expected:
            assert time.monotonic() < end, f"the labels did not come: {self.tell(SITUATION)}; {self.stub.requests[-5:]}"
            self.page.wait_for_timeout(20)
