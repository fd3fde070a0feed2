"""How a reader finds a page: by the search, and by clicks from the start."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from handbook.html import Built

_TITLE = 4  # a word of the title counts as much as so many of the text
_COMMON = {
    "a", "an", "and", "are", "at", "by", "do", "for", "from", "has", "have", "how",
    "i", "in", "is", "it", "my", "of", "on", "or", "the", "to", "what", "which", "with",
}  # fmt: skip


class Search:
    """The sections of the site, ranked by BM25 (Robertson and Zaragoza 2009), titles weighted.

    Args:
        index: `search.json` of the site.
    """

    def __init__(self, index: Path) -> None:
        items = json.loads(index.read_text(encoding="utf-8"))["items"]
        self._places: list[str] = [item["location"] for item in items]
        self._bags = [_words(item["text"]) + _times(_words(item["title"]), _TITLE) for item in items]
        self._sizes = [sum(bag.values()) for bag in self._bags]

    def find(self, query: str) -> list[str]:
        """Rank the sections that hold a word of the query, the best first; their locations."""
        count, mean = len(self._bags), sum(self._sizes) / len(self._sizes)
        scores = [0.0] * count
        for word in _words(query):
            holding = sum(word in bag for bag in self._bags)
            weight = math.log(1 + (count - holding + 0.5) / (holding + 0.5))
            for place, (bag, size) in enumerate(zip(self._bags, self._sizes, strict=True)):
                scores[place] += weight * bag[word] * 2.2 / (bag[word] + 1.2 * (0.25 + 0.75 * size / mean))
        best = sorted(range(count), key=lambda place: -scores[place])
        return [self._places[place] for place in best if scores[place]]


def _times(words: Counter[str], factor: int) -> Counter[str]:
    return Counter({word: count * factor for word, count in words.items()})


def _words(text: str) -> Counter[str]:
    found: Iterable[str] = re.findall(r"[^\W_]+", re.sub(r"<[^>]*>", " ", text).lower())
    return Counter(_stem(word) for word in found if word not in _COMMON)


def _stem(word: str) -> str:
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            return word.removesuffix(ending)
    return word


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
