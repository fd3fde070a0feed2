"""Sources whose names are odd, and links that lead nowhere or back, among good ones."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordeals.kills import Work
from ordeals.places import UNNAMED, told
from ordeals.works import content

_LONGEST = 255


@dataclass(frozen=True)
class Odd:
    """How one odd source fared: what came of it, and what is wrong with that."""

    work: str
    name: str
    end: str
    faults: tuple[str, ...]


def odd_names(suffix: str) -> dict[str, str]:
    """Names that file systems allow, with what is odd about them."""
    return {
        "newline": f"a\nb{suffix}",
        "emoji": f"🙂👩\u200d🚀{suffix}",
        "255 bytes": "x" * (_LONGEST - len(suffix)) + suffix,
        "no text": os.fsdecode(b"\xff\xfe") + suffix,
        "spaces and quotes": f" '\"$(x);* {suffix}",
        "a dash first": f"--help{suffix}",
    }


def campaign(folder: Path, works: Sequence[Work], deadline: float | None = None) -> list[Odd]:
    """Segment odd sources beside a good one, whose labels theirs must equal.

    Args:
        folder: an empty one to work in.
        works: that segment what lies in ``photos/`` into ``out/``.
        deadline: on the monotonic clock, after which nothing more is begun.
    """
    return [
        odd
        for work in works
        if deadline is None or time.monotonic() < deadline
        for odd in _among(work, folder / work.name)
    ]


def _among(work: Work, root: Path) -> list[Odd]:
    root.mkdir(parents=True)
    told(lambda: work.prepare(root))
    good, *others = sorted((root / "photos").iterdir())
    for other in others:
        other.unlink()
    names = odd_names("".join(good.suffixes))
    for name in names.values():
        shutil.copy(good, root / "photos" / name)
    _link(root / "photos", "".join(good.suffixes))
    code, said = told(lambda: work.run(root))
    lines = _lines(root / "out")
    faults = [f"ended with {code}: {said[-600:]}"] if code not in (0, 1) or UNNAMED.search(said) else []
    odds = [Odd(work.name, "all of them", f"exit code {code}", tuple(faults))]
    for oddity, name in names.items():
        odds.append(_judged(work.name, oddity, lines.get(name), lines.get(good.name), root / "out"))
    strange = lines.keys() - {good.name, *names.values(), *_links("".join(good.suffixes))}
    odds.append(Odd(work.name, "links", f"{len(strange)} more lines", tuple(map(repr, sorted(strange)))))
    return odds


def _links(suffix: str) -> tuple[str, ...]:
    return f"dead{suffix}", f"loop{suffix}"


def _link(folder: Path, suffix: str) -> None:
    """Links that lead nowhere, to themselves, and to the folder that they lie in; and what NFS leaves."""
    dead, loop = _links(suffix)
    (folder / dead).symlink_to(folder / "nowhere")
    (folder / loop).symlink_to(loop)
    (folder / "round").symlink_to(".")
    (folder / f".nfs00000001{suffix}").write_bytes(b"what somebody still had open")


def _lines(out: Path) -> dict[str, Any]:
    text = (out / "manifest.jsonl").read_text() if (out / "manifest.jsonl").exists() else ""
    return {Path(line["source"]).name: line for line in map(json.loads, text.splitlines())}


def _judged(work: str, oddity: str, line: dict[str, Any] | None, good: dict[str, Any] | None, out: Path) -> Odd:
    if line is None or good is None:
        return Odd(work, oddity, "no line", ("nothing is said of it",))
    if line["status"] != "done":
        said = str(line["error"])
        return Odd(work, oddity, said[-120:], ("no reason is named",) if UNNAMED.search(said) else ())
    pairs = [(out / line["outputs"][kind], out / name) for kind, name in good["outputs"].items()]
    wrong = [one.name for one, other in pairs if not one.is_file() or content(one) != content(other)]
    return Odd(work, oddity, "done", tuple(f"{name!r} differs" for name in wrong))
