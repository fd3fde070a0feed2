"""What a model can learn together: a project's pictures (maps and frames of videos among them), scans, or clouds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from intarsia.errors import counted
from intarsia.serving.project.project import Project
from intarsia.serving.project.shown import Things, shown_as

_WORDS: dict[Things, str] = {"picture": "picture", "volume": "scan", "cloud": "point cloud"}


def kinds_of(project: Project, names: Iterable[str]) -> dict[Things, list[str]]:
    """Sort items by kind: pictures first, then scans, then clouds; kinds without any are not there."""
    found: dict[Things, list[str]] = {kind: [] for kind in _WORDS}
    for name in names:
        found[shown_as(project.item(name)).things].append(name)
    return {kind: items for kind, items in found.items() if items}


def in_words(kinds: Mapping[Things, list[str]]) -> str:
    """Say how many there are of each kind: "2 scans and 1 point cloud"."""
    return " and ".join(counted(len(names), _WORDS[kind]) for kind, names in kinds.items())
