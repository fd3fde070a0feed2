"""Kills, damaged files, bombs, and places where work is hard, against everything that reads or keeps state.

No peer is compared here: each row is how often something was tried, and what went wrong. What is tried comes from
tests/ordeals, whose short form the tests run; docs/reliability.md holds the figures of long runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from common import arguments, write_results
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).parents[1] / "tests"))

_KILLS, _DAMAGES = 180, 260  # of each work and each form of file, in a full run
_FEW_KILLS, _FEW_DAMAGES = 4, 4
_FEW_WORKS = ("segment-pictures", "data-get")


class Line(NamedTuple):
    """What came of one thing: how often it was tried, a sum of the ends, and each fault in a sentence."""

    part: str
    what: str
    tried: int
    ends: str
    faults: list[str]


def kills(folder: Path, seed: int, quick: bool, deadline: float | None) -> list[Line]:
    """Kill everything that keeps state."""
    from ordeals.kills import campaign

    tolls = campaign(folder, each=_FEW_KILLS if quick else _KILLS, seed=seed, deadline=deadline, light=quick)
    return [
        Line("kills", name, toll.kills, f"{toll.ends} ends compared, {toll.missed} missed", toll.faults)
        for name, toll in tolls.items()
    ]


def damage(folder: Path, seed: int, quick: bool, deadline: float | None) -> list[Line]:
    """Damage every form of file."""
    from ordeals.damage import campaign

    tallies = campaign(folder, each=_FEW_DAMAGES if quick else _DAMAGES, seed=seed, deadline=deadline, light=quick)
    lines = []
    for name, tally in tallies.items():
        ends = f"{_sum(tally.ends)}; at most {tally.seconds:.2f} s, {tally.memory / 1e6:.0f} MB"
        faults = [f"{one.fault} by {one.kind} ({one.seed}): {one.said}" for one in tally.findings]
        lines.append(Line("damage", name, tally.ends.total(), ends, faults))
    return lines


def bombs(folder: Path, seed: int, quick: bool, deadline: float | None) -> list[Line]:
    """Open small files that say that they are large."""
    from ordeals.bombs import campaign

    return [
        Line("bombs", one.name, 1, f"{one.outcome.said[:60]}... in {1000 * one.outcome.seconds:.0f} ms", one.faults)
        for one in campaign(folder)
    ]


def places(folder: Path, seed: int, quick: bool, deadline: float | None) -> list[Line]:
    """Work where disks are full, names are odd and clocks go back."""
    from ordeals import oddities, places
    from ordeals.servers import warm
    from ordeals.works import all_works

    warm(light=quick)
    works = [work for name, work in all_works().items() if name in _FEW_WORKS or not quick]
    stays = places.campaign(folder / "places", works, places.all_places(), deadline)
    lines = [Line("places", f"{one.work}: {one.place}", 1, one.said or "as ever", list(one.faults)) for one in stays]
    among = [work for work in works if work.name.startswith("segment")]
    odds = oddities.campaign(folder / "names", among, deadline)
    return lines + [Line("places", f"{one.work}: {one.name}", 1, one.end, list(one.faults)) for one in odds]


PARTS: dict[str, Callable[[Path, int, bool, float | None], list[Line]]] = {
    "damage": damage, "kills": kills, "bombs": bombs, "places": places,
}  # fmt: skip


def _sum(ends: Counter[str]) -> str:
    return ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))


def report(lines: list[Line], seconds: float, file: Path | None) -> int:
    """Print a table and the faults; return how many there are."""
    table = Table(title=f"Torture, {seconds:.0f} s, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for column in ("part", "what", "tried", "came of it", "faults"):
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(line.part, line.what, f"{line.tried:,}", line.ends, str(len(line.faults)))
    console = Console(width=140)
    console.print(table)
    faults = [f"{line.part} {line.what}: {fault}" for line in lines for fault in line.faults]
    for fault in faults:
        console.print(fault, markup=False, highlight=False)
    for part in dict.fromkeys(line.part for line in lines):
        print(f"{part}: {sum(line.tried for line in lines if line.part == part):,} tried")
    if file is not None:
        write_results(file, [line._asdict() for line in lines])
    return len(faults)


def main() -> int:
    """Run the parts that are asked for; the exit code is 1 if anything went wrong."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--minutes", type=float, metavar="N", help="stop after about so long, evenly for each part")
    parser.add_argument("--only", choices=tuple(PARTS), help="one part of it")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the damages")
    asked = parser.parse_args()
    chosen = [asked.only] if asked.only else list(PARTS)
    start, lines = time.monotonic(), []
    for number, part in enumerate(chosen, start=1):
        deadline = start + 60 * asked.minutes * number / len(chosen) if asked.minutes else None
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            lines += PARTS[part](Path(folder), asked.seed, asked.quick, deadline)
    return min(1, report(lines, time.monotonic() - start, asked.json))


if __name__ == "__main__":
    sys.exit(main())
