"""Which measured numbers of a page no JSON stands behind.

A number is measured if it is a decimal or has a unit, and if its part of the page, from a heading or a bold beginning
to the next, says "measured", "mIoU" or "IoU of", tells milliseconds or processor time, or names a benchmark. These are
none:

* versions and licences: "OpenVINO 2026.4", "CC BY 4.0";
* counts, as of parameters: "3.3 million", "1.2 M";
* what papers claim: a part that begins so;
* what is given, a limit for instance: a paragraph, a point of a list or a row of a table that holds
  ``<!-- given: WHAT -->``, or the whole part where such a mark has a line of its own;
* all of a page that a script makes from JSON, which says ``<!-- made: SCRIPT -->``.

What was measured before results were kept may stay where a line of its own tells readers day, machine and command:

    *Recorded 2026-11-22 on AMD EPYC, two cores, by `python benchmarks/video.py`; its result file was not kept.*
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handbook.markdown import Page, plain

_MEASURED = re.compile(r"\bmeasure[sd]?\b|benchmarks/\w+\.py|\bmIoU\b|\bIoU of\b|\bms\b|processor time", re.IGNORECASE)
_CLAIMED = re.compile(r"\*\*What (?:the )?papers? claims?")
_RECORDED = re.compile(
    r"^\*Recorded (?P<day>\d{4}-\d\d-\d\d) on (?P<machine>.+), by `(?P<command>.+?)`; its result file was not kept\.\*$"
)
_GIVEN = re.compile(r"<!-- given: .+? -->")
_UNIT = r"(?= (?:ms|s|MB|GB|MiB|GiB|points|levels|images a second|images/s)\b| ?%|x\b)"
_NUMBER = re.compile(rf"(?<![\w./,-])[-+]?(?:\d*\.\d++(?![\d.]*\.\d)|\d[\d,]*{_UNIT})(?! (?:M|million)\b)")
_VERSIONED = (
    "ONNX Runtime|OpenVINO|PyTorch|torch|Python|MediaPipe|kraken|pymatting|pydensecrf2|CC BY|CC BY-NC(?:-SA|-ND)?"
)
_VERSION = re.compile(rf"\b(?:{_VERSIONED}|version) \d+\.\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Part:
    """A part of a page, and its measured numbers.

    Attributes:
        heading: the heading above it.
        count: of measured numbers that no mark leads to a JSON.
        recorded: day, machine and command, where readers are told them; else None.
    """

    heading: str
    count: int
    recorded: tuple[str, str, str] | None


def measured_parts(text: str) -> Iterator[Part]:
    """The parts of a page with measured numbers; marked ones are to be taken out before.

    Args:
        text: of the page.
    """
    page = Page(Path(), text)
    if page.mark("made") is not None:
        return
    spoken, heading = page.text.splitlines(), ""
    lines: list[tuple[str, str]] = []
    for number, prose in [*page.prose, (0, "# ")]:
        if prose.startswith(("#", "**")):
            part = _part(heading, lines)
            if part.count:
                yield part
            lines = []
        if number and prose.startswith("#"):
            heading = plain(prose.lstrip("# "))
        lines.append((prose, spoken[number - 1]))


def _part(heading: str, lines: list[tuple[str, str]]) -> Part:
    """Count what a part says, given its lines without code and with it."""
    claimed = any(_CLAIMED.match(spoken) for _, spoken in lines)
    given = any(_GIVEN.fullmatch(spoken.strip()) for _, spoken in lines)
    if claimed or given or not any(_MEASURED.search(spoken) for _, spoken in lines):
        return Part(heading, 0, None)
    told = [found.group("day", "machine", "command") for _, spoken in lines if (found := _RECORDED.match(spoken))]
    prose = _without_given([prose for prose, spoken in lines if not _RECORDED.match(spoken)])
    prose = re.sub(r"\]\([^)]*\)", "]", _VERSION.sub("", prose))
    return Part(heading, len(_NUMBER.findall(prose)), told[0] if told else None)


def _without_given(lines: list[str]) -> str:
    """Leave out paragraphs, points and rows that say what they give."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if not line.strip() or line.startswith("|") or re.match(r" *(?:[*-]|\d+\.) ", line):
            blocks.append([])
        blocks[-1].append(line)
    return "\n".join("\n".join(block) for block in blocks if not _GIVEN.search("\n".join(block)))
