"""Find what is wrong with the site: its configuration, its pages as the repository shows them, and what was built."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from handbook.html import Built
from handbook.markdown import Page

PLUGINS = {"search", "mkdocstrings"}
"""What both builders know. An unknown one would be passed over in silence."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")


def check_configuration(config: Path) -> Iterator[str]:
    """Plugins that are not ours, hooks, and keys that MkDocs does not know."""
    said = yaml.safe_load(config.read_text(encoding="utf-8"))
    plugins = {one if isinstance(one, str) else next(iter(one)) for one in said.get("plugins", ())}
    yield from (f"{config.name}: plugin {name!r} is none that both builders have" for name in plugins - PLUGINS)
    yield from (f"{config.name}: {key} are not allowed" for key in ("hooks", "INHERIT") if key in said)
    yield from (f"{config.name}: {problem}" for problem in _mkdocs_says(config, said))


def _mkdocs_says(config: Path, said: dict[str, Any]) -> list[str]:
    from mkdocs.config.defaults import MkDocsConfig

    read = MkDocsConfig(str(config.absolute()))
    # Its theme, Material, need not be installed to read the rest.
    read.load_dict({**said, "theme": "mkdocs"})
    errors, warnings = read.validate()
    return [f"{key}: {problem}" for key, problem in [*errors, *warnings]]


def check_navigation(config: Path, staged: Path) -> Iterator[str]:
    """Pages that the navigation lacks, and those that it names and are not there."""
    named = list(navigation(config))
    pages = {path.relative_to(staged).as_posix() for path in staged.rglob("*.md")}
    yield from (f"{config.name}: no page {place}" for place in named if place not in pages)
    yield from (f"{config.name}: the navigation lacks {place}" for place in sorted(pages - set(named)))
    yield from (f"{config.name}: {place} is named twice" for place in set(named) if named.count(place) > 1)


def navigation(config: Path) -> Iterator[str]:
    """The pages of the navigation, in their order."""

    def walk(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        for below in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
            yield from walk(below)

    yield from walk(yaml.safe_load(config.read_text(encoding="utf-8"))["nav"])


def check_sources(root: Path) -> Iterator[str]:
    """Links, anchors and pictures of the pages as they lie in the repository, where GitHub shows them."""

    @cache
    def page_of(path: Path) -> Page:
        return Page.read(path)

    for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        page, name = page_of(path), path.relative_to(root)
        for link in page.links:
            place = f"{name}:{link.line}"
            if link.picture and not link.text.strip():
                yield f"{place}: the picture {link.target} says nothing to those who cannot see it"
            target, _, anchor = link.target.partition("#")
            if _SCHEME.match(link.target):
                continue
            file = Path(os.path.normpath(path.parent / target)) if target else path
            if not file.exists():
                yield f"{place}: there is no {link.target}"
            elif anchor and file.suffix == ".md" and anchor not in page_of(file).forge_anchors:
                yield f"{place}: no heading of {file.relative_to(root)} is #{anchor} on GitHub"
        yield from (
            f"{name}:{fence.line}: this diagram would be drawn by a script from elsewhere"
            for fence in page.fences
            if fence.language == "mermaid"
        )


def check_site(site: Path) -> Iterator[str]:
    """Links, anchors, pictures and everything that is loaded, of all built pages."""
    pages = {path: Built.read(path) for path in sorted(site.rglob("*.html"))}
    for path, built in pages.items():
        name = path.relative_to(site)
        yield from (f"{name}: loads {address}" for address in built.loads if _SCHEME.match(address) or "//" in address)
        yield from (f"{name}: the picture {source} has no text" for source in built.silent)
        if path.name == "404.html":
            continue  # its links are those of any place
        for address in built.refers:
            target, _, anchor = address.partition("#")
            if _SCHEME.match(address):
                continue
            file = Path(os.path.normpath(path.parent / target)) if target else path
            if not file.exists():
                yield f"{name}: leads to {address}, which is not there"
            elif anchor and file in pages and anchor not in pages[file].ids:
                yield f"{name}: no #{anchor} in {file.relative_to(site)}"
