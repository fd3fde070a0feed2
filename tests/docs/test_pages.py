"""Pages of the site in a browser without a network: nothing is asked of others, all can be read, the search finds."""

from __future__ import annotations

import functools
import http.server
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from studio.programs import package

# Against hangs only, as elsewhere: the whole site is built for the first of these tests.
pytestmark = pytest.mark.timeout(900)

PAGES = ("index.html", "tutorials/first-mask.html", "howto/server.html", "losses.html", "explanation/gcn-ksac.html")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *said: Any) -> None:
        """Say nothing."""


class Shown:
    """A page of the site, and what it asked of others."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.outside: list[str] = []
        page.context.route("**/*", self._pass_on)

    def _pass_on(self, route: Any) -> None:
        address = route.request.url
        if address.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(address)
            route.abort()


@pytest.fixture
def shown(browser: Any, site: Path) -> Iterator[Shown]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Shown(context.new_page(), f"http://127.0.0.1:{server.server_port}/")
    context.close()
    server.shutdown()
    server.server_close()


def test_pages_can_be_read_by_everybody_and_ask_nothing_of_others(shown: Shown) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    found = {}
    for name, width in itertools.product(PAGES, (1280, 390)):
        shown.page.set_viewport_size({"width": width, "height": 900})
        shown.page.goto(shown.address + name)
        shown.page.wait_for_selector(".md-content__inner h1")
        shown.page.add_style_tag(content="* { transition: none !important; animation: none !important }")
        shown.page.evaluate(axe)
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        for scheme in ("light", "dark") if width == 1280 else ("dark",):
            shown.page.emulate_media(color_scheme=scheme)
            violations = shown.page.evaluate("async () => (await axe.run()).violations")
            seen = f"{name}, {scheme}, {width}"
            found[seen] = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]
    assert {seen: said for seen, said in found.items() if said} == {}
    assert shown.outside == []


def test_the_search_works_without_a_network(shown: Shown) -> None:
    shown.page.goto(shown.address + "index.html")
    shown.page.keyboard.press("/")
    shown.page.wait_for_function("document.activeElement !== document.body")
    shown.page.keyboard.type("my mask is black")
    first = shown.page.locator("a[href*='?h=']").first
    # What the words find changes while they are typed, so the first place is waited for, not read once.
    first.and_(shown.page.locator("a[href$='howto/data.html?h=my+mask+is+black#my-mask-is-black']")).wait_for()
    assert shown.outside == []
