"""How a reader finds a page: by the search, and by clicks from the start."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path

from handbook.html import Built
from handbook.stage import ROOT

_SCRIPT = ROOT / "docs" / "searching.js"
_WEIGHTS = (3, 2, 1)  # of a section's title, path and text, as the theme's search has them


class Search:
    """The sections of the site, ranked much as the theme's search ranks what `docs/searching.js` leaves of a question.

    Args:
        index: `search.json` of the site.
    """

    def __init__(self, index: Path) -> None:
        items = json.loads(index.read_text(encoding="utf-8"))["items"]
        self._idle = set(re.findall(r"[\w']+", "".join(re.findall(r'"(.*?)"', _idle_words(), re.DOTALL))))
        self._places: list[str] = [item["location"] for item in items]
        self._fields = [(_words(one["title"]), _words(" ".join(one["path"])), _words(one["text"])) for one in items]

    def find(self, query: str) -> list[str]:
        """Rank the sections that hold the telling words of a query, the best first; their locations."""
        left, words = range(len(self._places)), list[str]()
        for word in _words(query):
            for form in (word, re.sub(r"(?:ing|ed|es|s)$", "", word)):
                holding = [place for place in left if any(form in _begun(field) for field in self._fields[place])]
                if word not in self._idle and len(form) > 1 and holding:
                    left, words = holding, [*words, form]
                    break
        best = sorted(left, key=lambda place: self._rank(place, words))
        return [self._places[place] for place in best] if words else []

    def _rank(self, place: int, words: list[str]) -> list[tuple[int, int, int]]:
        """A key: of each field that holds some of the words its weight, how many, and where the first one stands."""
        key = []
        for weight, field in zip(_WEIGHTS, self._fields[place], strict=True):
            found = [next((at for at, one in enumerate(field) if one.startswith(word)), -1) for word in words]
            at = [one for one in found if one >= 0]
            if at:
                key.append((-weight, -len(at), min(at)))
        return key


def _idle_words() -> str:
    """The part of the script that lists words which tell nothing."""
    return _SCRIPT.read_text(encoding="utf-8").partition("new Set(")[2].partition(".split")[0]


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", re.sub(r"<[^>]*>", " ", text).lower()))


@cache
def _begun(words: tuple[str, ...]) -> frozenset[str]:
    """All beginnings of some words."""
    return frozenset(word[:end] for word in words for end in range(1, len(word) + 1))


def clicks(site: Path, start: str = "index.html") -> dict[str, int]:
    """How many clicks lead from the start to each page, and to each heading that is linked.

    Args:
        site: the built site.
        start: where the reader is.
    """
    found, front = {start: 0}, [start]
    for page in front:  # which grows
        path = site / page
        for address in Built.read(path).refers:
            target, hash_, anchor = address.partition("#")
            if re.match(r"[a-z]+:", address):
                continue
            place = os.path.normpath(path.parent.relative_to(site) / target) if target else page
            if place not in found and place.endswith(".html") and (site / place).exists():
                front.append(place)
            for one in (place, f"{place}{hash_}{anchor}"):
                found.setdefault(one, found[page] + 1)
    return found
