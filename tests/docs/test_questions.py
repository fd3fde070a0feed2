"""What people ask most is found by the search among its first three, and two clicks from the start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("torch")

from handbook.asked import add_wordings, asked
from handbook.finding import Search, clicks

# Against hangs only, as elsewhere: the whole site is built for the first of these tests.
pytestmark = pytest.mark.timeout(900)

QUESTIONS = {question: place for place, questions in asked().items() for question in questions}


def test_the_search_finds_the_answers(site: Path) -> None:
    assert len(asked()) >= 80 and len(QUESTIONS) >= 250
    search = Search(site / "search.json")
    first = {question: search.find(question)[:3] for question in QUESTIONS}
    assert {question: first[question] for question, place in QUESTIONS.items() if place not in first[question]} == {}


def test_answers_are_two_clicks_away(site: Path) -> None:
    away = clicks(site)
    assert away["howto/index.html"] == 1 and away["tutorials/ct.html"] == 1
    assert {place: away.get(place, 99) for place in asked() if away.get(place, 99) > 2} == {}


def test_words_are_added_to_their_places_and_unknown_places_are_named(tmp_path: Path) -> None:
    index = tmp_path / "search.json"
    index.write_text(json.dumps({"items": [{"location": "a.html#b", "text": "<p>x</p>"}]}))
    assert list(add_wordings(index, {"a.html#b": ["is it <b>", "c"], "a.html#d": ["e"]})) == [
        "tools/handbook/asked.yaml: there is no a.html#d"
    ]
    assert json.loads(index.read_text())["items"][0]["text"] == "<p>x</p> <p>Also asked: is it &lt;b&gt;; c.</p>"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on the loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_whole_sentences_find_something_in_the_page(browser: Any, site: Path) -> None:
    context = browser.new_context()
    with served(site) as address:
        page = context.new_page()
        page.goto(f"{address}/index.html")
        page.keyboard.press("/")
        for question, place in (
            ("Why is my mask all black?", "howto/data.html#my-mask-is-black"),
            ("small objects are not detected", "howto/training.html#my-objects-are-tiny"),
            ("how can I convert my model to ONNX", "howto/models.html#how-do-i-export-to-onnx"),
        ):
            page.locator("input:visible").first.fill(question)
            path, anchor = place.split("#")
            page.locator(f"a[href*='{path}'][href$='#{anchor}']:visible").first.wait_for()
            found = [link.get_attribute("href") for link in page.locator("a[href*='h=']:visible").all()[:3]]
            assert place in {re.sub(r"^.*?//[^/]*/|\?h=[^#]*", "", href) for href in found}
    context.close()
