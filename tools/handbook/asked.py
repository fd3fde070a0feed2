"""What people ask in their own words: added to the search's index, so that it finds the answer by them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import yaml

ASKED = Path(__file__).with_name("asked.yaml")


def asked() -> dict[str, list[str]]:
    """The wordings by the place of the answer, as `howto/data.html#my-mask-is-black`."""
    wordings: dict[str, list[str]] = yaml.safe_load(ASKED.read_text(encoding="utf-8"))
    return wordings


def add_wordings(index: Path, wordings: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Add wordings to the sections of the search's index, and name places that it does not have.

    Args:
        index: `search.json` of the built site, which is changed.
        wordings: by place.
    """
    document = json.loads(index.read_text(encoding="utf-8"))
    sections = {item["location"]: item for item in document["items"]}
    for place, said in wordings.items():
        if place in sections:
            sections[place]["text"] += f" <p>Also asked: {escape('; '.join(said))}.</p>"
        else:
            yield f"tools/handbook/asked.yaml: there is no {place}"
    index.write_text(json.dumps(document), encoding="utf-8")
