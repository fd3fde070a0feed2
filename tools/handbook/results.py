"""What was measured: JSON files in `benchmarks/results/` and `benchmarks/claims/results/`, and the cards of models."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any


class NotMeasured(LookupError):
    """The benchmark has left no results yet."""


def look_up(place: str, folder: Path) -> Any:
    """Find the value of a place such as ``crf/500x375x21, all/time/ours`` or ``claims/pictures-crf/32s/gain``.

    Args:
        place: file, then steps: a key, a number, or a text that rows contain; texts narrow a list down to one of them.
            Of a claim: its file, an arm, or two as in ``8s - 32s``, and a measure; the mean over the seeds is meant.
            Of a bundled model's card: its name, and what stands before the number, as in ``card/street/val_miou``.
        folder: of the JSON files of benchmarks.

    Raises:
        NotMeasured: there is no such file.
        LookupError: there is no such value, or the steps do not lead to a single one; with the reason.
    """
    name, *steps = place.split("/")
    if name == "card":
        return _of_card(results_file(place, folder), "/".join(steps[1:]))
    document = _document(results_file(place, folder))
    if name == "claims":
        return _of_claim(document["runs"], place)
    found: Any = document if steps and steps[0] in document else document["results"]
    for step in steps:
        if isinstance(found, list):
            rows = [found[int(step)]] if step.isdigit() else [row for row in found if step in _texts(row)]
            found = rows[0] if len(rows) == 1 else rows
        elif step in found:
            found = found[step]
        else:
            raise LookupError(f"no {step} in {name}.json")
    if isinstance(found, list | dict) or found is None:
        raise LookupError(f"{place} is no single value")
    return found


def results_file(place: str, folder: Path) -> Path:
    """The file that a place is in."""
    name, *steps = place.split("/")
    if name == "card":
        return folder.parents[1] / "intarsia" / "zoo" / f"{steps[0]}.md"
    return folder.parent / "claims" / "results" / f"{steps[0]}.json" if name == "claims" else folder / f"{name}.json"


def _of_card(file: Path, words: str) -> float:
    """The number behind some words of a card."""
    if not file.exists():
        raise NotMeasured(f"no {file.name}")
    found = set(re.findall(rf"{re.escape(words)} (-?\d*\.\d+)", file.read_text(encoding="utf-8")))
    if len(found) != 1:
        raise LookupError(f"{words!r} stands before {len(found)} numbers in {file.name}")
    return float(found.pop())


def _of_claim(runs: list[dict[str, Any]], place: str) -> float:
    """The mean of a measure over the seeds of an arm, or of its difference between two."""
    _, _, arms, measure = place.split("/")
    found = {
        arm: {run["seed"]: run["measures"][measure] for run in runs if run["arm"] == arm and measure in run["measures"]}
        for arm in arms.split(" - ")
    }
    first, *others = found.values()
    seeds = [seed for seed in first if all(seed in other for other in others)]
    if not seeds:
        raise LookupError(f"{place} was measured with no seed")
    return fmean(first[seed] - sum(other[seed] for other in others) for seed in seeds)


@cache
def _document(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise NotMeasured(f"no {file.name}")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _texts(row: dict[str, Any]) -> str:
    return ", ".join(value for value in row.values() if isinstance(value, str))


def results_table(folder: Path) -> str:
    """Write the table of all results: command, day, machine."""
    lines = ["| command | day | machine | load before |", "|---|---|---|---|"]
    for file in sorted(folder.glob("*.json")):
        told = _document(file)
        machine = told["machine"]
        kind = ", ".join([machine["processor"], *machine["instructions"][-1:]])
        where = f"{kind}, {machine['cores']} cores, torch {machine['torch']}"
        lines.append(f"| `{told['command']}` | {told['date']} | {where} | {machine['load']} |")
    return "\n".join(lines) + "\n"
