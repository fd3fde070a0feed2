"""Damaging every reader's file, reading it in a child under limits, and judging what came of it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from ordeals.mutations import damage
from ordeals.servers import GREED, Outcome, serve, warm
from ordeals.targets import Target, all_targets

_MAKING = 16 << 30  # bytes of address space; libraries that write may reserve as many
_A_CHILD = 400  # cases that one child does, unless it dies
_LEFT_ALONE = (".jpg", ".lock")  # photos beside annotations, whose readers are targets of their own


@dataclass(frozen=True)
class Finding:
    """A damage that was not answered as it should.

    Attributes:
        target: the form of file.
        seed: by which `damage` makes it again.
        file: which of the target's files was damaged, below its folder.
        kind: of the damage.
        fault: "crash", "hang", "greed", "defect" or "wrong success".
        said: what the reader, or the system, said.
    """

    target: str
    seed: str
    file: str
    kind: str
    fault: str
    said: str


@dataclass
class Tally:
    """What came of all damages to one form of file.

    Attributes:
        ends: how many were read as what they were ("same"), read as something else, read with a note, or refused.
        findings: those that were not answered as they should.
        seconds: the longest reading, of processor time.
        memory: the largest growth of the resident memory, in bytes.
    """

    ends: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0


class Ordeal:
    """One target's file in a folder of its own, to be damaged again and again.

    Args:
        target: what is read.
        folder: an empty one.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self._folder = target, folder
        pristine = folder / "pristine"
        pristine.mkdir(parents=True)
        (made,) = serve(self._make, [0], greed=_MAKING)
        if made.end != "read":
            raise RuntimeError(f"{target.name} cannot even be read undamaged: {made.said}")
        self._opened, self.expected = json.loads(made.said)
        files = sorted(path for path in pristine.rglob("*") if path.is_file() and path.stat().st_size)
        damageable = [path for path in files if self._is_damageable(path, pristine / self._opened)]
        self._contents = {str(path.relative_to(pristine)): path.read_bytes() for path in damageable}

    def _is_damageable(self, file: Path, opened: Path) -> bool:
        if self.target.only:
            return file.name == self.target.only
        return file.with_suffix("") == opened.with_suffix("") if opened.is_file() else file.suffix not in _LEFT_ALONE

    def _make(self, _: int) -> str:
        """In a child, as all reading: threads that a library keeps would not be there after a fork."""
        pristine = self._folder / "pristine"
        opened = self.target.make(pristine)
        return json.dumps([str(opened.relative_to(pristine)), self.target.read(opened)])

    def damaged(self, seed: str) -> tuple[str, str, bytes]:
        """Make a damage: which file, its kind, and the file's bytes."""
        name = Random(f"file {seed}").choice(sorted(self._contents))
        return (name, *damage(self._contents[name], seed))

    def reads(self, name: str, content: bytes) -> str:
        """Read the target with this content in one of its files."""
        place = self._folder / f"work-{os.getpid()}"
        if not place.exists():
            shutil.copytree(self._folder / "pristine", place)
        (place / name).write_bytes(content)
        try:
            return self.target.read(place / self._opened)
        finally:
            (place / name).write_bytes(self._contents[name])

    def read_again(self, damaged: list[Path]) -> list[Outcome]:
        """Read what was damaged before and kept, each in the place of the target's last file of that kind."""
        places = [max(name for name in self._contents if name.endswith(file.suffix)) for file in damaged]
        return list(serve(lambda case: self.reads(places[case], damaged[case].read_bytes()), range(len(damaged))))

    def run(self, seeds: list[str], deadline: float | None = None) -> Tally:
        """Do these damages, or as many as there is time for."""
        tally = Tally()
        for outcome in self._outcomes(seeds, deadline):
            seed = seeds[outcome.case]
            name, kind, _ = self.damaged(seed)
            end, fault = self._judge(outcome, kind)
            tally.ends[end] += 1
            tally.seconds, tally.memory = max(tally.seconds, outcome.seconds), max(tally.memory, outcome.memory)
            if fault:
                tally.findings.append(Finding(self.target.name, seed, name, kind, fault, outcome.said[:400]))
        return tally

    def _outcomes(self, seeds: list[str], deadline: float | None) -> Iterator[Outcome]:
        for start in range(0, len(seeds), _A_CHILD):
            if deadline is not None and time.monotonic() > deadline:
                return
            yield from serve(
                lambda case: self._reads(seeds[case]),
                range(start, min(start + _A_CHILD, len(seeds))),
                greed=GREED + self.target.greed,
            )

    def _reads(self, seed: str) -> str:
        name, _, content = self.damaged(seed)
        return self.reads(name, content)

    def _judge(self, outcome: Outcome, kind: str) -> tuple[str, str]:
        """How a reading ended, and what is wrong with that; "" for nothing."""
        if outcome.fault:
            return outcome.fault, outcome.fault
        if outcome.end == "refused":
            return "refused", ""
        if outcome.said == self.expected:
            return "same", ""
        if outcome.said.startswith("said:"):
            return "said", ""
        must_not = self.target.sealed or (self.target.whole and kind == "cut")
        return "other", "wrong success" if must_not else ""


def campaign(
    folder: Path, *, each: int, seed: int = 0, deadline: float | None = None, light: bool = False
) -> dict[str, Tally]:
    """Damage the file of every target so many times.

    Args:
        folder: an empty one to work in.
        each: how many damages a target gets.
        seed: of all of them.
        deadline: on the monotonic clock, after which nothing more is begun.
        light: leave out what loads large libraries.
    """
    warm(light=light)
    return {
        name: Ordeal(target, folder / name).run([f"{name}:{seed}:{case}" for case in range(each)], deadline)
        for name, target in all_targets().items()
        if not (light and target.heavy) and not (deadline is not None and time.monotonic() > deadline)
    }
