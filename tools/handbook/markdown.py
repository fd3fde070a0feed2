"""What stands in a page of Markdown: fenced blocks, headings, links and pictures, each with its line."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<language>[\w+-]*)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)(?: +\"[^\"]*\")?\)")
_CODE = re.compile(r"(`+).+?\1")
_MARK = re.compile(r"^ *<!-- (?P<name>[a-z]+)(?:: (?P<value>.*?))? -->$")
QUOTED = r"<!-- = (?P<place>.+?)(?: (?P<sign>[*/]) (?P<factor>[\d.]+))? -->"
"""The mark before a number that comes from a benchmark; `numbers.py` says what it means."""
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')


@dataclass(frozen=True)
class Fence:
    """A fenced block of code.

    Attributes:
        language: the word behind the fence, or "".
        text: what stands in it, without its indent.
        line: of the fence, from 1.
        mark: what the comment in the line before says of it, for instance ``("text", "")``; none: ("", "").
    """

    language: str
    text: str
    line: int
    mark: tuple[str, str]


@dataclass(frozen=True)
class Link:
    """A link, or a picture."""

    text: str
    target: str
    line: int
    picture: bool


@dataclass(frozen=True)
class Page:
    """A page of Markdown."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read a file."""
        return cls(path, path.read_text(encoding="utf-8"))

    @cached_property
    def fences(self) -> list[Fence]:
        """The fenced blocks in their order."""
        return self._parsed[0]

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The lines outside fenced blocks, numbered from 1, with code in them blanked out."""
        return [(number, _CODE.sub(lambda found: " " * len(found[0]), line)) for number, line in self._parsed[1]]

    @cached_property
    def _parsed(self) -> tuple[list[Fence], list[tuple[int, str]]]:
        fences, outside, before = [], [], ""
        lines = iter(enumerate(self.text.splitlines(), 1))
        for number, line in lines:
            opened = _FENCE.match(line)
            if opened is None:
                outside.append((number, line))
                before = line
                continue
            body, indent = [], len(opened["indent"])
            for _, inner in lines:
                if inner.strip().startswith(opened["marks"]) and not inner.strip().strip(opened["marks"][0]):
                    break
                body.append(inner[indent:] if not inner[:indent].strip() else inner)
            mark = _MARK.match(before)
            said = (mark["name"], mark["value"] or "") if mark else ("", "")
            fences.append(Fence(opened["language"], "\n".join(body) + "\n", number, said))
            before = ""
        return fences, outside

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = (_HEADING.match(line) for _, line in self._parsed[1])
        return [(len(one[1]), one[2]) for one in found if one]

    @property
    def title(self) -> str:
        """The text of the first heading, or the file's name."""
        return plain(self.headings[0][1]) if self.headings else self.path.stem

    @cached_property
    def links(self) -> list[Link]:
        """Links and pictures outside code; also the links around pictures."""
        return [
            Link(one["text"], one["target"], number, one["picture"] == "!")
            for number, line in self.prose
            for one in _LINK.finditer(line)
        ]

    def mark(self, name: str) -> str | None:
        """What the comment ``<!-- name: value -->`` of the page says; None where there is none."""
        found = (_MARK.match(line) for _, line in self._parsed[1])
        return next((one["value"] or "" for one in found if one and one["name"] == name), None)

    @cached_property
    def site_anchors(self) -> set[str]:
        """The ids that the site gives headings, and those of ``<a id>``."""
        return self._anchors(_site_slug, "_")

    @cached_property
    def forge_anchors(self) -> set[str]:
        """The ids that GitHub gives headings, and those of ``<a id>``."""
        return self._anchors(_forge_slug, "-")

    def _anchors(self, slug: object, joint: str) -> set[str]:
        assert callable(slug)
        seen: Counter[str] = Counter()
        anchors = {one for _, line in self._parsed[1] for one in _ANCHOR.findall(line)}
        for _, text in self.headings:
            base = slug(plain(text))
            anchors.add(f"{base}{joint}{seen[base]}" if seen[base] else base)
            seen[base] += 1
        return anchors


def plain(text: str) -> str:
    """A heading as it is read: links by their text, without marks of code and emphasis."""
    return re.sub(r"[`*]", "", _LINK.sub(lambda found: found["text"], text))


def without_marks(text: str) -> str:
    """Take the marks of numbers away, for those who only read."""
    return re.sub(QUOTED, "", text)


def _site_slug(text: str) -> str:
    """As Python-Markdown does."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())


def _forge_slug(text: str) -> str:
    """As GitHub does."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.strip().lower()))
