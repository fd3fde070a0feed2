"""docs/claims.md, made of the claims and their results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.claims import results
from benchmarks.claims.claim import MEDIA, Claim, Comparison, claims
from benchmarks.claims.results import RESULTS, Runs
from benchmarks.claims.verdicts import FEWEST, Interval, Verdict, decide

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"

_HEAD = f"""# Claims of the field, tested here

<!-- made: python -m benchmarks.claims -->

What papers claim, tested on small budgets that anyone can rerun: `make claims` (or `python -m benchmarks.claims NAME`)
runs what has no result yet, with `INTARSIA_DATA` naming the data, and writes this page from
`benchmarks/claims/results/`.

**The rule.** Every arm of a comparison is run with the same seeds, and the runs of a seed see the same batches. The
result is the mean of the paired differences over the seeds, with Student's 95 % interval. A claim *holds* where the
whole interval lies above what it claims (0, unless said); it *does not hold here* where the whole interval lies below
the smallest difference that would be worth anything (0.005, unless said); in between it *cannot be tested here*: the
seeds differ too much. With fewer than {FEWEST} seeds it is *not run yet*. Small networks and a few hundred steps say
nothing about the papers' own scale.
"""


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    known = claims()
    runs = {name: results.read(name, claim.budget, folder) for name, claim in known.items()}
    parts = [_HEAD, _overview(known, runs)]
    for medium in MEDIA:
        of_medium = [name for name in known if name.startswith(f"{medium}/")]
        if of_medium:
            parts.append(f"## {medium.capitalize()}\n")
            parts += [_section(name, known[name], runs[name]) for name in of_medium]
    return "\n".join(parts)


def _overview(known: dict[str, Claim], runs: dict[str, Runs]) -> str:
    """How many sentences got which verdict, of all claims and of each."""
    found = {
        name: Counter(decide(claim, one, runs[name]).verdict for one in claim.comparisons)
        for name, claim in known.items()
    }
    total = sum(found.values(), Counter[Verdict]())
    lines = [
        f"Of {total.total()} sentences of {len(known)} claims: {_counted(total)}.\n",
        "| claim | verdicts | source |",
        "|---|---|---|",
    ]
    for name, claim in known.items():
        told = _counted(found[name]) or "cannot be tested here"
        lines.append(f"| [{claim.title}](#{_anchor(claim.title)}) | {told} | {claim.source} |")
    return "\n".join([*lines, ""])


def _counted(verdicts: Counter[Verdict]) -> str:
    return ", ".join(f"{verdict} ({count})" for verdict, count in verdicts.items())


def _section(name: str, claim: Claim, runs: Runs) -> str:
    parts = [f"### {claim.title}\n", f"{claim.source}. {claim.paper}\n"]
    if claim.cannot:
        return "\n".join([*parts, f"**Cannot be tested here**: {claim.cannot}\n"])
    parts.append(f"**Here.** {claim.tested} `{name}`.\n")
    if runs.runs:
        parts += [_arms(claim, runs), _dated(runs), _decisions(claim, runs)]
    else:
        says = "; ".join(one.says for one in claim.comparisons)
        parts.append(f"**Not run yet** (about {claim.minutes:.0f} minutes of one core): {says}.\n")
    if claim.why:
        parts.append(f"**Why.** {claim.why}\n")
    return "\n".join(parts)


def _decisions(claim: Claim, runs: Runs) -> str:
    """A table of what was decided, and what was not run yet."""
    lines, open_ones = ["| claimed | result | verdict |", "|---|---|---|"], []
    for one in claim.comparisons:
        decision = decide(claim, one, runs)
        if decision.interval is None:
            open_ones.append(f"{one.says} ({decision.remark})")
            continue
        remark = f": {decision.remark}" if decision.remark else ""
        lines.append(f"| {one.says} | {_result(decision.interval, one)} | **{decision.verdict}**{remark} |")
    decided = [*lines, ""] if len(lines) > 2 else []
    return "\n".join([*decided, *([f"**Not run yet**: {'; '.join(open_ones)}.\n"] if open_ones else [])])


def _arms(claim: Claim, runs: Runs) -> str:
    """A table of the arms' measures: means over seeds, and deviations."""
    names = list(dict.fromkeys(measure for run in runs.runs for measure in run.measures))
    lines = [f"| arm | {' | '.join(names)} | seeds |", "|---" * (len(names) + 2) + "|"]
    for arm, what in claim.arms.items():
        own = [run for run in runs.runs if run.arm == arm]
        if own:
            cells = [_spread([run.measures[name] for run in own if name in run.measures]) for name in names]
            lines.append(f"| {what} | {' | '.join(cells)} | {len(own)} |")
    return "\n".join([*lines, ""])


def _dated(runs: Runs) -> str:
    dates, machines = sorted({run.date for run in runs.runs}), sorted({run.machine for run in runs.runs})
    return f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))} on {', '.join(machines)}, one thread a run.\n"


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    return _number(fmean(values)) + (f" ± {_number(stdev(values))}" if len(values) > 1 else "")


def _number(value: float, sign: str = "") -> str:
    digits = ".4f" if abs(value) < 10 else ".1f"
    shown = f"{value:{sign}{digits}}"
    return shown.lstrip("+-") if not float(shown) else shown


def _result(found: Interval, one: Comparison) -> str:
    beyond = f", wanted above {one.more_than:+g}" if one.more_than else ""
    mean, low, high = (_number(value, "+") for value in (found.mean, found.low, found.high))
    return f"{mean} {one.measure} ({low} to {high}; {found.seeds} seeds{beyond})"


def _anchor(title: str) -> str:
    """The anchor that Markdown makes of a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return "-".join(kept.split())
