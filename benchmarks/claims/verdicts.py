"""From paired differences to a verdict, by one rule for all claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.results import Runs

Verdict = Literal["holds", "does not hold here", "cannot be tested here", "not run yet"]
CONFIDENCE = 0.95
FEWEST = 3
_MOST = 1000


@dataclass(frozen=True)
class Interval:
    """The mean of paired differences over seeds, and where it lies with 95 % confidence (Student's t)."""

    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Decision:
    """A verdict, the interval that it comes from, and what has to be said of it."""

    verdict: Verdict
    interval: Interval | None = None
    remark: str = ""


def interval_of(differences: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean of at least two differences."""
    mean = fmean(differences)
    half = _t(len(differences)) * stdev(differences) / math.sqrt(len(differences))
    return Interval(mean, mean - half, mean + half, len(differences))


def decide(claim: Claim, comparison: Comparison, runs: Runs) -> Decision:
    """Decide one comparison.

    It holds where the whole interval lies above `more_than`; it does not where the whole interval lies below the
    smallest difference beyond it that would be worth anything. Between them, these seeds cannot tell.
    """
    wanted = {comparison.arm, comparison.against or comparison.arm}
    seeds = [measured for measured in runs.by_seed().values() if wanted <= measured.keys()]
    if len(seeds) < FEWEST:
        return Decision("not run yet", remark=f"{len(seeds)} of {len(claim.seeds)} seeds are measured")
    differences = [comparison.difference(measured) for measured in seeds]
    interval = interval_of(differences)
    if interval.low > comparison.more_than:
        return Decision("holds", interval)
    if interval.high < comparison.more_than + comparison.worth:
        return Decision("does not hold here", interval)
    return Decision("cannot be tested here", interval, _needed(differences, comparison))


def _needed(differences: Sequence[float], comparison: Comparison) -> str:
    """How many seeds would narrow the interval enough, should mean and deviation stay what they are."""
    deviation = stdev(differences)
    room = max(abs(fmean(differences) - comparison.more_than), comparison.worth / 2)
    enough = (n for n in range(len(differences) + 1, _MOST) if _t(n) * deviation / math.sqrt(n) < room)
    return f"the seeds differ too much: about {next(enough, _MOST)} would be needed"


def _t(count: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
