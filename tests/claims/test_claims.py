"""The claims' page says what their results say, and the rule decides as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.claims import results
from benchmarks.claims.claim import Claim, Comparison, claims
from benchmarks.claims.page import PAGE, page
from benchmarks.claims.results import Run, Runs
from benchmarks.claims.verdicts import decide, interval_of

pytestmark = pytest.mark.needs_torch

HOURS_OF_TWO_CORES = 3

BETTER = Comparison("new is better", "new", "old", "score", worth=0.1)
CLAIM = Claim("Newer is better", "Somebody", "So they say.", "On nothing.", {"old": "old", "new": "new"}, (BETTER,))


def runs_of(differences: list[float]) -> Runs:
    runs = [Run("old", seed, {"score": 1.0 + seed}, 1.0, "2026-01-01", "a CPU") for seed in range(len(differences))]
    runs += [
        Run("new", seed, {"score": 1.0 + seed + gain}, 1.0, "2026-01-01", "a CPU")
        for seed, gain in enumerate(differences)
    ]
    return Runs({}, runs)


def test_page_and_results_agree() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m benchmarks.claims --page writes it anew"


def test_every_result_belongs_to_a_claim_and_its_budget() -> None:
    known = claims()
    for file in results.RESULTS.glob("*.json"):
        name = file.stem.replace("-", "/", 1)
        assert results.read(name, known[name].budget).runs, f"{file.name} holds runs of another budget, or none"


def test_all_claims_fit_into_three_hours_of_two_cores() -> None:
    assert sum(claim.minutes for claim in claims().values()) <= HOURS_OF_TWO_CORES * 60 * 2


def test_interval_is_students() -> None:
    interval = interval_of([1.0, 2.0, 3.0])  # t with two degrees of freedom is 4.3027 at 97.5 %
    assert interval.mean == 2
    assert (interval.low, interval.high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.5, 0.51, 0.52], "holds"),
        ([0.01, 0.012, 0.011], "holds"),
        ([-0.02, 0.01, 0.0], "does not hold here"),
        ([-0.5, 0.5, 0.3], "cannot be tested here"),
        ([0.5, 0.5], "not run yet"),
    ],
)
def test_the_rule_decides(differences: list[float], verdict: str) -> None:
    assert decide(CLAIM, BETTER, runs_of(differences)).verdict == verdict


def test_more_seeds_are_asked_for_where_the_seeds_differ() -> None:
    assert "would be needed" in decide(CLAIM, BETTER, runs_of([-0.5, 0.5, 0.3])).remark


def test_a_loss_that_is_allowed_and_measures_that_fall() -> None:
    allowed = Comparison("old loses little", "old", "new", "score", more_than=-1)
    assert decide(CLAIM, allowed, runs_of([0.5, 0.51, 0.52])).verdict == "holds"
    fewer = Comparison("new has fewer", "new", "old", "score", lower_is_better=True)
    assert decide(CLAIM, fewer, runs_of([-0.5, -0.51, -0.52])).verdict == "holds"


def test_results_are_kept_and_those_of_another_budget_are_not_taken(tmp_path: Path) -> None:
    runs = runs_of([0.25, 0.5])
    results.write("pictures/one", Runs({"steps": 3}, runs.runs), tmp_path)
    assert results.read("pictures/one", {"steps": 3}, tmp_path).by_seed() == runs.by_seed()
    assert results.read("pictures/one", {"steps": 4}, tmp_path).runs == []


def test_claims_cannot_compare_what_there_is_not() -> None:
    with pytest.raises(ValueError, match="compares arms that there are not"):
        Claim("Typo", "", "", "", {"old": "old"}, (BETTER,))
