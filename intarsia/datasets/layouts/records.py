"""The records that jobs leave in folders, which say what are predictions and no labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

RECORD = "manifest.jsonl"
"""The name of a job's record; a manifest of data may have it, too."""

_LONGEST_LINE = 1 << 20


def results_of(records: Iterable[Path]) -> frozenset[Path]:
    """The files that the jobs of some records wrote, and the records themselves."""
    return frozenset(path for record in records for path in _written(record))


def _written(record: Path) -> Iterator[Path]:
    try:
        with record.open(encoding="utf-8", errors="replace") as file:
            for line in iter(lambda: file.readline(_LONGEST_LINE), ""):
                outputs = _outputs(line)
                if outputs is None:
                    return
                yield record
                yield from (record.parent / name for name in outputs)
    except OSError:
        return


def _outputs(line: str) -> list[str] | None:
    """What a line of a job's record lists; None for a line of another file."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []  # torn by a job that was killed
    if not isinstance(value, dict) or not {"status", "outputs", "medium"} <= value.keys():
        return None
    outputs = value["outputs"]
    return [name for name in outputs.values() if isinstance(name, str)] if isinstance(outputs, dict) else []
