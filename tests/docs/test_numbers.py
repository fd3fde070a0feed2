"""Numbers that pages quote are those of the benchmarks' JSON files; those without a JSON never become more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from docs.shell import ROOT
from handbook.markdown import without_marks
from handbook.numbers import allowed, check_numbers, numbers_pages, untraced, write
from handbook.results import look_up, results_table

MACHINE = {"processor": "Some CPU", "instructions": ["avx2"], "cores": 2, "load": 0.1, "torch": "2.14.1"}
ROWS = [
    {"case": "small", "metric": "time", "unit": "s", "ours": 0.26049, "peer": 0.9, "ratio": 3.46},
    {"case": "small", "metric": "memory", "unit": "MB", "ours": 2048, "peer": None, "ratio": None},
    {"case": "large", "metric": "time", "unit": "s", "ours": 12345.6, "peer": -0.5, "ratio": 1},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose one page quotes one benchmark."""
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    told = {"command": "python benchmarks/crf.py", "date": "2026-11-30", "machine": MACHINE, "results": ROWS}
    (results / "crf.json").write_text(json.dumps(told))
    (tmp_path / "docs").mkdir()
    return tmp_path


def page(root: Path, text: str) -> Path:
    path = root / "docs" / "a.md"
    path.write_text(text)
    return path


def test_the_pages_say_what_was_measured() -> None:
    assert list(check_numbers(ROOT, allowed())) == []
    assert {"README.md", "docs/numbers.md"} <= set(numbers_pages(ROOT))


def test_numbers_are_compared_as_they_are_rounded_in_the_page(root: Path) -> None:
    page(
        root,
        "# A\n\n<!-- = crf/small/time/ours -->0.26 s, <!-- = crf/small/time/ours * 1000 -->260 ms, "
        "<!-- = crf/small/time/ours -->.260, <!-- = crf/small/memory/ours / 1024 -->2.0 GiB, "
        "<!-- = crf/large/ours -->12,346 s, <!-- = crf/large/peer -->-.5, <!-- = crf/small/time/ratio -->+3.5, "
        "<!-- = crf/date -->2026-11-30\n",
    )
    assert list(check_numbers(root, {})) == []


def test_what_is_wrong_with_a_quoted_number_is_named(root: Path) -> None:
    page(
        root,
        "# A\n\n<!-- = crf/small/time/ours -->0.27\n<!-- = crf/small/ours -->1\n<!-- = crf/large/speed -->1\n"
        "<!-- = crf/large/ours -->fast\n<!-- = later/large/ours -->7 s\n",
    )
    assert list(check_numbers(root, {})) == [
        "docs/a.md:3: 0.27 should be 0.26, by crf/small/time/ours",
        "docs/a.md:4: the mark of 1 leads nowhere: crf/small/ours is no single value",
        "docs/a.md:5: the mark of 1 leads nowhere: no speed in crf.json",
        "docs/a.md:6: no number stands behind the mark of crf/large/ours",
    ]


def test_numbers_without_a_benchmark_are_counted_where_measuring_is_told_of(root: Path) -> None:
    results = root / "benchmarks" / "results"
    assert untraced("# A\n\nThe paper says 0.5 and 20 %.\n", results) == 0
    assert (
        untraced("# A\n\nWe measured 0.5, 20 %, .747 mIoU and 3 ms in 1 of 2 rooms of version 1.2.3.\n", results) == 4
    )
    assert untraced("# A\n\nMeasured: `0.5`\n\n```text\n0.5\n```\n", results) == 0
    marked = "Measured: <!-- = crf/large/ours -->12,346 s, <!-- = later/x -->1.5 s\n"
    assert untraced(marked, results) == 1  # nobody has measured `later` yet
    assert untraced("**Papers.** 0.5\n\n**Here.** `benchmarks/crf.py`: 0.6\n", results) == 1
    assert untraced("# A\n\n<!-- made: benchmarks/claims -->\n\nMeasured: 0.5\n", results) == 0
    page(root, "# A\n\nMeasured: 0.5 and 0.6\n")
    said = "docs/a.md: 2 measured numbers are traced to no JSON, and 1 may be; mark the new ones"
    assert list(check_numbers(root, {"docs/a.md": 1})) == [said]
    assert list(check_numbers(root, {"docs/a.md": 2})) == []


def test_writing_renews_numbers_and_only_lowers_what_may_be_untraced(root: Path, tmp_path: Path) -> None:
    path = page(
        root, "# A\n\nMeasured: <!-- = crf/small/time/ours -->0.31 s, 0.5\n\n<!-- table: results -->\n\n<!-- end -->\n"
    )
    allowances = tmp_path / "untraced.yaml"
    write(root, allowances)
    assert "ours -->0.26 s, 0.5\n" in path.read_text()
    assert results_table(root / "benchmarks" / "results") in path.read_text()
    assert list(check_numbers(root, allowed(allowances))) == [] and allowed(allowances) == {"docs/a.md": 1}
    path.write_text(path.read_text().replace("0.5", "0.5, 0.6"))
    write(root, allowances)
    assert allowed(allowances) == {"docs/a.md": 1}


def test_results_are_found_by_words(root: Path) -> None:
    results = root / "benchmarks" / "results"
    assert look_up("crf/large/ours", results) == 12345.6 and look_up("crf/1/unit", results) == "MB"
    row = "| `python benchmarks/crf.py` | 2026-11-30 | Some CPU, avx2, 2 cores, torch 2.14.1 | 0.1 |"
    assert row in results_table(results)
    assert without_marks("<!-- = crf/large/ours * 10 -->12 s <!-- skip: x -->") == "12 s <!-- skip: x -->"
