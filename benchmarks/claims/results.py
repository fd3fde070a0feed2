"""What was measured, one JSON file a claim: runs by arm and seed, with their time, date and machine."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from intarsia.files import write_text

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Run:
    """One arm, measured with one seed; `seconds` are the processor's."""

    arm: str
    seed: int
    measures: dict[str, float]
    seconds: float
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: str = field(default_factory=lambda: _machine())


@dataclass
class Runs:
    """All runs of a claim under one budget."""

    budget: dict[str, Any]
    runs: list[Run] = field(default_factory=list)

    def has(self, arm: str, seed: int) -> bool:
        """Whether that run was made."""
        return any((run.arm, run.seed) == (arm, seed) for run in self.runs)

    def by_seed(self) -> dict[int, dict[str, dict[str, float]]]:
        """Measures by seed and arm."""
        found: dict[int, dict[str, dict[str, float]]] = {}
        for run in self.runs:
            found.setdefault(run.seed, {})[run.arm] = run.measures
        return found


def read(name: str, budget: Mapping[str, Any], folder: Path = RESULTS) -> Runs:
    """The runs of a claim; none of another budget, and none of a claim that was never run."""
    file = _file(name, folder)
    now = json.loads(json.dumps(dict(budget)))
    if not file.is_file():
        return Runs(now)
    stored = json.loads(file.read_text(encoding="utf-8"))
    kept = stored["runs"] if stored["budget"] == now else []
    return Runs(now, [Run(**run) for run in kept])


def write(name: str, runs: Runs, folder: Path = RESULTS) -> None:
    """Keep the runs of a claim, ordered by seed and arm, one line a run."""
    file = _file(name, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(run)) for run in sorted(runs.runs, key=lambda run: (run.seed, run.arm))]
    listed = ",\n".join(f"  {line}" for line in lines)
    write_text(file, f'{{"budget": {json.dumps(runs.budget)}, "runs": [\n{listed}\n]}}\n')


def _file(name: str, folder: Path) -> Path:
    return folder / f"{name.replace('/', '-')}.json"


def _machine() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
