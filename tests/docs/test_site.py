"""The site is built as `make docs` builds it, without a problem; and the check sees what it is there for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("mkdocs", reason="needs intarsia[docs]")

from docs.shell import ROOT
from handbook.check import check_configuration, check_navigation, check_site, check_sources
from handbook.html import Built
from handbook.markdown import Page

# Against hangs only, as elsewhere: the whole site is built for the first of these tests.
pytestmark = pytest.mark.timeout(900)

CONFIG = ROOT / "mkdocs.yml"


def test_it_is_built_without_a_problem(site: Path) -> None:
    assert (site / "index.html").exists() and len(list(site.rglob("*.html"))) > 80
    llms = (site / "llms.txt").read_text(encoding="utf-8")
    assert "- [First mask in a minute](tutorials/first-mask.md): You have a photo" in llms
    assert (site / "tutorials" / "first-mask.md").read_text(encoding="utf-8").startswith("# First mask in a minute")
    pages = {item["location"].partition("#")[0] for item in json.loads((site / "search.json").read_text())["items"]}
    assert {"howto/data.html", "reference/commands.html", "clouds.html"} <= pages


def test_the_reference_says_what_the_program_is(site: Path) -> None:
    commands = Built.read(site / "reference" / "commands.html")
    assert {"intarsia-segment", "intarsia-annotations-convert", "intarsia-serve"} <= commands.ids
    assert "intarsia.load" in Built.read(site / "reference" / "python.html").ids
    text = (site / "reference" / "http.md").read_text(encoding="utf-8")
    assert "## POST /v1/segment\n" in text and "## GET /v1/jobs/{job}/events\n" in text
    assert "`gamma`" in (site / "reference" / "losses.md").read_text(encoding="utf-8")
    assert "### deeplabv3plus" in (site / "reference" / "architectures.md").read_text(encoding="utf-8")


def test_tabs_of_one_task_stand_beside_each_other(site: Path) -> None:
    page = (site / "tutorials" / "first-mask.html").read_text(encoding="utf-8")
    assert [page.count(f">{name}</label>") for name in ("Shell", "Python", "HTTP", "Studio")] == [1, 1, 1, 1]


def test_the_page_of_licences_names_every_bundled_model() -> None:
    cards = {path.relative_to(ROOT).as_posix() for path in (ROOT / "intarsia" / "zoo").glob("*.md")}
    linked = {link.target.removeprefix("../") for link in Page.read(ROOT / "docs" / "licences.md").links}
    assert len(cards) >= 10 and cards - linked == set()


def test_notebooks_become_pages(site: Path) -> None:
    page = (site / "notebooks" / "image.html").read_text(encoding="utf-8")
    assert '<a href="image.ipynb" download>' in page and "a look at the photo" in page
    assert (site / "notebooks" / "image.ipynb").exists() and "<!-- = " not in (site / "numbers.md").read_text("utf-8")


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Path]:
    """A repository with one page, whose links are wrong in each way."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(
        "# Start\n\n[gone](gone.md) [right](#start) [wrong](#end) `[code](gone.md)`\n\n![](a.png)\n\n"
        "```text\n[code](gone.md)\n```\n\n```mermaid\ngraph\n```\n"
    )
    (tmp_path / "docs" / "a.png").write_bytes(b"")
    yield tmp_path


def test_wrong_links_of_pages_are_named(broken: Path) -> None:
    assert list(check_sources(broken)) == [
        "docs/index.md:3: there is no gone.md",
        "docs/index.md:3: no heading of docs/index.md is #end on GitHub",
        "docs/index.md:5: the picture a.png says nothing to those who cannot see it",
        "docs/index.md:11: this diagram would be drawn by a script from elsewhere",
    ]


def test_plugins_and_keys_that_one_builder_does_not_know_are_named(tmp_path: Path) -> None:
    config = tmp_path / "mkdocs.yml"
    config.write_text("site_name: x\nplugins: [search, macros]\nhooks: [a.py]\nsiet_dir: b\n")
    said = "\n".join(check_configuration(config))
    assert "plugin 'macros'" in said and "hooks are not allowed" in said and "siet_dir" in said


def test_pages_outside_the_navigation_are_named(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text("nav: [{A: a.md}, {B: [b.md, {C: a.md}]}]\n")
    (tmp_path / "docs").mkdir()
    for name in ("a", "c"):
        (tmp_path / "docs" / f"{name}.md").write_text("# x\n")
    assert list(check_navigation(tmp_path / "mkdocs.yml", tmp_path / "docs")) == [
        "mkdocs.yml: no page b.md",
        "mkdocs.yml: the navigation lacks c.md",
        "mkdocs.yml: a.md is named twice",
    ]


def test_what_a_built_page_asks_of_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/x.css"><script src="//cdn.example/x.js"></script>'
        '<h2 id="b">B</h2><a href="#b">1</a><a href="#c">2</a><a href="b.html">3</a><a href="https://example.org">4</a>'
        '<img src="a.html"><img src="a.html" alt="A page">'
    )
    assert list(check_site(tmp_path)) == [
        "a.html: loads https://fonts.example/x.css",
        "a.html: loads //cdn.example/x.js",
        "a.html: the picture a.html has no text",
        "a.html: leads to //cdn.example/x.js, which is not there",
        "a.html: no #c in a.html",
        "a.html: leads to b.html, which is not there",
    ]
