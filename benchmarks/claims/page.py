"""docs/claims.md, made of the claims and their results."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev

from benchmarks.claims import results
from benchmarks.claims.claim import MEDIA, Claim, Comparison, claims
from benchmarks.claims.results import RESULTS, Runs
from benchmarks.claims.verdicts import FEWEST, Decision, decide

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"

_HEAD = f"""# Claims of the field, tested here

<!-- made: benchmarks/claims -->

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
    lines = ["| claim | source | result | verdict |", "|---|---|---|---|"]
    for name, claim in known.items():
        for one in claim.comparisons:
            decision = decide(claim, one, runs[name])
            lines.append(
                f"| [{one.says}](#{_anchor(claim.title)}) | {claim.source} | {_result(decision, one)} "
                f"| {_verdict(decision)} |"
            )
    return "\n".join([*lines, ""])


def _section(name: str, claim: Claim, runs: Runs) -> str:
    parts = [f"### {claim.title}\n", f"{claim.source}. {claim.paper}\n", f"**Here.** {claim.tested} `{name}`.\n"]
    if runs.runs:
        parts += [_arms(claim, runs), _dated(runs)]
    for one in claim.comparisons:
        decision = decide(claim, one, runs)
        remark = f" ({decision.remark})" if decision.remark else ""
        parts.append(f"* {one.says}: {_result(decision, one)}: **{decision.verdict}**{remark}.")
    if claim.why:
        parts.append(f"\n**Why.** {claim.why}")
    return "\n".join([*parts, ""])


def _arms(claim: Claim, runs: Runs) -> str:
    """A table of the arms' measures: means over seeds, and deviations."""
    names = list(dict.fromkeys(measure for run in runs.runs for measure in run.measures))
    lines = [f"| arm | {' | '.join(names)} | seeds | s a run |", "|---" * (len(names) + 3) + "|"]
    for arm, what in claim.arms.items():
        own = [run for run in runs.runs if run.arm == arm]
        if own:
            cells = [_spread([run.measures[name] for run in own if name in run.measures]) for name in names]
            seconds = fmean(run.seconds for run in own)
            lines.append(f"| {what} | {' | '.join(cells)} | {len(own)} | {seconds:.0f} |")
    return "\n".join([*lines, ""])


def _dated(runs: Runs) -> str:
    dates, machines = sorted({run.date for run in runs.runs}), sorted({run.machine for run in runs.runs})
    return f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))} on {', '.join(machines)}, one thread a run.\n"


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    return _number(fmean(values)) + (f" ± {_number(stdev(values))}" if len(values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def _result(decision: Decision, one: Comparison) -> str:
    found = decision.interval
    if found is None:
        return "none yet" if decision.verdict == "not run yet" else "none"
    beyond = f", wanted above {one.more_than:+g}" if one.more_than else ""
    signed = " to ".join(f"{value:+.4f}" if abs(value) < 10 else f"{value:+.1f}" for value in (found.low, found.high))
    return f"{found.mean:+.4f} {one.measure} ({signed}; {found.seeds} seeds{beyond})"


def _verdict(decision: Decision) -> str:
    return f"**{decision.verdict}**"


def _anchor(title: str) -> str:
    """The anchor that Markdown makes of a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return "-".join(kept.split())
