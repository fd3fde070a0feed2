"""Put the pages together: `docs/`, the repository's other pages, and what is generated.

Pages are written to be read where they lie. What the site needs beyond that is changed in the copies: links to files
outside `docs/` lead to copies of these, and sections between ``<!-- tabs -->`` and ``<!-- end -->`` become tabs.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from handbook.markdown import Page, without_marks
from handbook.notebooks import notebook_page

ROOT = Path(__file__).parents[2]
DOCS, STAGED, SITE = ROOT / "docs", ROOT / "build" / "docs", ROOT / "build" / "site"
API_SOURCES = ROOT / "build" / "api"
_TAB = re.compile(r"^\*\*(?P<name>[\w ,.-]+)\*\*$")


def outer_pages(root: Path = ROOT) -> dict[Path, str]:
    """The pages of the repository that lie outside `docs/`, each with its place in the site."""
    pages = {root / name: name.lower() for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")}
    cards = sorted((root / "intarsia" / "zoo").glob("*.md"))
    return {path: place for path, place in pages.items() if path.exists()} | {
        card: f"models/{card.name}" for card in cards
    }


def stage(root: Path = ROOT, out: Path = STAGED) -> list[Path]:
    """Copy all pages and pictures to an empty folder, their links mended for the site.

    Returns:
        The copied pages.
    """
    shutil.rmtree(out, ignore_errors=True)
    docs = root / "docs"
    places = outer_pages(root) | {path: path.relative_to(docs).as_posix() for path in sorted(docs.rglob("*.md"))}
    places |= {path: f"notebooks/{path.stem}.md" for path in sorted((docs / "notebooks").glob("*.ipynb"))}
    for source, place in places.items():
        page = notebook_page(source) if source.suffix == ".ipynb" else Page.read(source)
        _write(out / place, _with_tabs(without_marks(_with_links(page, place, places, root, out))))
    for path in docs.rglob("*"):
        if path.is_file() and path.suffix in (".jpg", ".png", ".svg", ".webp", ".css", ".js", ".ipynb"):
            target = out / path.relative_to(docs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return [out / place for place in places.values()]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _with_links(page: Page, place: str, places: dict[Path, str], root: Path, out: Path) -> str:
    lines = page.text.splitlines()
    for link in page.links:
        path, hash_, anchor = link.target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            continue
        target = Path(os.path.normpath(page.path.parent / path))
        if not target.exists():
            continue  # the check says so
        if target.is_dir():
            target = target / "index.md" if (target / "index.md").exists() else target
        wanted = places.get(target) or _copied(target, root, out)
        relative = os.path.relpath(wanted, Path(place).parent).replace(os.sep, "/")
        lines[link.line - 1] = lines[link.line - 1].replace(f"]({link.target}", f"]({relative}{hash_}{anchor}")
    return "\n".join(lines) + "\n"


def _copied(target: Path, root: Path, out: Path) -> str:
    """The place of a file that is no page; one that the site would not have is copied, as text."""
    if target.is_relative_to(root / "docs"):
        return target.relative_to(root / "docs").as_posix()
    name = f"files/{target.relative_to(root).as_posix()}{'' if target.suffix else '.txt'}"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(target, out / name)
    return name


def _with_tabs(text: str) -> str:
    lines, inside = [], False
    for line in text.splitlines():
        tab = _TAB.match(line)
        if line == "<!-- tabs -->":
            inside = True
        elif line == "<!-- end -->":
            inside = False
        elif inside and tab:
            lines.append(f'=== "{tab["name"]}"')
        else:
            lines.append(f"    {line}" if inside and line else line)
    return "\n".join(lines) + "\n"
