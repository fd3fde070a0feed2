"""What a built page holds: ids, links, what it loads, and pictures without a text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import unquote

# The elements that matter here, as the builder writes them; a parser of HTML takes ten times as long for all pages.
_SCRIPT = re.compile(r"(<script[^>]*>).*?</script>", re.DOTALL)
_TAG = re.compile(r"<(?P<name>[a-z][a-z0-9-]*)(?P<said>(?:\s+[\w:-]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)*)\s*/?>")
_SAID = re.compile(r"([\w:-]+)=[\"']?((?<=\")[^\"]*|(?<=')[^']*|[^\s\"'>]+)")
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
        for tag in _TAG.finditer(_SCRIPT.sub(r"\1", path.read_text(encoding="utf-8"))):
            said = {name: unescape(value) for name, value in _SAID.findall(tag["said"])}
            built._note(tag["name"], said)
        return built

    def _note(self, tag: str, said: dict[str, str]) -> None:
        """Note what one element says."""
        if "id" in said:
            self.ids.add(said["id"])
        if tag == "a" and said.get("href"):
            self.refers.append(unquote(said["href"]))
        source = said.get("src") or (said.get("href") if tag == "link" and _is_loaded(said) else None)
        if source:
            self.loads.append(source)
            self.refers.append(unquote(source))
        if tag == "img" and not said.get("alt", "").strip():
            self.silent.append(said.get("src", "?"))


def _is_loaded(said: dict[str, str]) -> bool:
    return not {"next", "prev", "canonical", "alternate"} & set(said.get("rel", "").split())
