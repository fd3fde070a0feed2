"""What people ask most is found by the search among its first three, and two clicks from the start."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

from handbook.finding import Search, clicks

# Against hangs only, as elsewhere: the whole site is built for the first of these tests.
pytestmark = pytest.mark.timeout(900)

QUESTIONS = yaml.safe_load((Path(__file__).parent / "questions.yaml").read_text(encoding="utf-8"))


def test_the_search_finds_the_answers(site: Path) -> None:
    assert len(QUESTIONS) >= 40
    search = Search(site / "search.json")
    first = {question: search.find(question)[:3] for question in QUESTIONS}
    assert {question: first[question] for question, place in QUESTIONS.items() if place not in first[question]} == {}


def test_answers_are_two_clicks_away(site: Path) -> None:
    away = clicks(site)
    assert away["howto/index.html"] == 1 and away["tutorials/ct.html"] == 1
    assert {question: away.get(place, 99) for question, place in QUESTIONS.items() if away.get(place, 99) > 2} == {}
