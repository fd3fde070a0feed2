"""What a built page holds: ids, links, what it loads, and pictures without a text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_EMPTY_HEADING = re.compile(r"<th((?: [a-z]+=\"[^\"]*\")*)></th>")


def without_empty_headings(text: str) -> str:
    """Make empty cells of tables' heads plain cells: a heading without a word says nothing to a screen reader."""
    return _EMPTY_HEADING.sub(r"<td\1></td>", text)


@dataclass
class Built:
    """A built page.

    Attributes:
        ids: of its elements.
        refers: addresses of its links and pictures, but for those that are only said, as of mail.
        loads: addresses of what the browser asks for without a click.
        silent: pictures without a text.
    """

    ids: set[str] = field(default_factory=set)
    refers: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Built:
        """Read a file."""
        built = cls()
        _Reader(built).feed(path.read_text(encoding="utf-8"))
        return built


class _Reader(HTMLParser):
    def __init__(self, built: Built) -> None:
        super().__init__()
        self._built = built

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element says."""
        said, built = dict(attrs), self._built
        if said.get("id"):
            built.ids.add(str(said["id"]))
        if tag == "a" and said.get("href"):
            built.refers.append(unquote(str(said["href"])))
        source = said.get("src") or (said.get("href") if tag == "link" and _is_loaded(said) else None)
        if source:
            built.loads.append(source)
            built.refers.append(unquote(source))
        if tag == "img" and not (said.get("alt") or "").strip():
            built.silent.append(said.get("src") or "?")


def _is_loaded(said: dict[str, str | None]) -> bool:
    return not {"next", "prev", "canonical", "alternate"} & set((said.get("rel") or "").split())
