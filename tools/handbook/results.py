"""What benchmarks left in `benchmarks/results/`: one JSON file each, written by their `--json`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


class NotMeasured(LookupError):
    """The benchmark has left no results yet."""


def look_up(place: str, folder: Path) -> Any:
    """Find the value of a place such as ``crf/500x375x21, all/time/ours``.

    Args:
        place: file, then steps: a key, a number, or a text that rows contain; texts narrow a list down to one of them.
        folder: of the JSON files.

    Raises:
        NotMeasured: there is no such file.
        LookupError: there is no such value, or the steps do not lead to a single one; with the reason.
    """
    name, *steps = place.split("/")
    document = _document(folder / f"{name}.json")
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
