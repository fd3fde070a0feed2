"""Numbers that pages quote are those of the benchmarks' JSON files; measured ones without a JSON are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from docs.shell import ROOT
from handbook.counting import measured_parts
from handbook.markdown import without_marks
from handbook.numbers import allowed, check_numbers, numbers_pages, recorded, unmarked, write
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


TOLD = "*Recorded 2026-11-22 on Some CPU, two cores, by `python benchmarks/old.py`; its result file was not kept.*\n"


def count(text: str, results: Path = ROOT / "benchmarks" / "results") -> int:
    """How many measured numbers of a text stand there without a mark and without being recorded."""
    return sum(part.count for part in measured_parts(unmarked(text, results)) if part.recorded is None)


def test_measured_numbers_are_those_where_measuring_is_told_of() -> None:
    assert count("# A\n\nThe drawing takes 0.5 and 20 %.\n") == 0
    assert count("# A\n\nWe measured 0.5, 20 %, .747 and 3 ms in 1 of 2 rooms of version 1.2.3.\n") == 4
    assert count("# A\n\nIt has an mIoU of 0.5.\n") == count("# A\n\nIt takes 12 ms.\n") == 1
    assert count("# A\n\nMeasured: `0.5`\n\n```text\n0.5\n```\n") == 0
    assert count("**Papers.** 0.5\n\n**Here.** `benchmarks/crf.py`: 0.6\n") == 1
    assert count("# A\n\n0.5\n\n## B\n\nMeasured: 0.6\n\n# C\n\n0.7\n") == 1


def test_what_is_no_measurement_is_not_counted() -> None:
    assert (
        count("# A\n\nMeasured with OpenVINO 2026.4 and torch 2.14: CC BY 4.0, 3.3 million parameters, 0.48 M.\n") == 0
    )
    assert (
        count("**What the paper claims.** An mIoU of 59.4 measured on VOC.\n\n**What was measured here.** .41\n") == 1
    )
    assert count("# A\n\nMeasured: 0.5\n\nAt most 0.3 points\nmay be lost<!-- given: a limit -->.\n\n0.7\n") == 2
    assert count("Measured:\n\n* 0.5 <!-- given: the default -->\n* 0.6\n\n| 0.7<!-- given: it --> |\n| 0.8 |\n") == 2
    assert count("# A\n\n<!-- given: exact values -->\n\nMeasured: 0.5\n\n0.6\n\n## B\n\nMeasured: 0.7\n") == 1
    assert count("# A\n\n<!-- made: benchmarks/claims -->\n\nMeasured: 0.5\n") == 0


def test_measured_numbers_want_a_mark_or_a_line_that_records_them(root: Path) -> None:
    marked = "Measured: <!-- = crf/large/ours -->12,346 s, <!-- = later/x -->1.5 s\n"  # `later` was not measured yet
    page(root, f"# A\n\n{marked}")
    assert list(check_numbers(root, {})) == ["docs/a.md: 1 measured numbers of 'A' have no mark that leads to a JSON"]
    page(root, f"# A\n\n{marked}\n{TOLD}\n## B\n\nMeasured: 0.5 and 0.6\n\n{TOLD}")
    said = "docs/a.md: 3 measured numbers are recorded without a JSON, and 2 may be; mark the new ones"
    assert list(check_numbers(root, {"docs/a.md": 2})) == [said]
    assert list(check_numbers(root, {"docs/a.md": 3})) == []


def test_writing_renews_numbers_and_tables_and_only_lowers_what_may_be_recorded(root: Path, tmp_path: Path) -> None:
    tables = "".join(f"\n<!-- table: {name} -->\n\n<!-- end -->\n" for name in ("results", "recorded"))
    path = page(root, f"# A\n\nMeasured: <!-- = crf/small/time/ours -->0.31 s, 0.5\n\n{TOLD}{tables}")
    allowances = tmp_path / "recorded.yaml"
    allowances.write_text("docs/a.md: 7\n")
    write(root, allowances)
    assert "ours -->0.26 s, 0.5\n" in path.read_text()
    assert results_table(root / "benchmarks" / "results") in path.read_text()
    assert "| [a.md](a.md): A | 1 | `python benchmarks/old.py` | 2026-11-22 | Some CPU, two cores |" in path.read_text()
    assert list(check_numbers(root, allowed(allowances))) == [] and allowed(allowances) == {"docs/a.md": 1}
    path.write_text(path.read_text().replace("0.5", "0.5, 0.6"))
    write(root, allowances)
    assert allowed(allowances) == {"docs/a.md": 1} and recorded(path.read_text(), root / "benchmarks" / "results") == 2


def test_claims_give_the_mean_over_the_seeds_that_arms_share(root: Path) -> None:
    runs = [("a", 0, 0.2), ("a", 1, 0.4), ("a", 2, 0.9), ("b", 0, 0.1), ("b", 1, 0.2)]
    told = [{"arm": arm, "seed": seed, "measures": {"miou": value}} for arm, seed, value in runs]
    folder = root / "benchmarks" / "claims" / "results"
    folder.mkdir(parents=True)
    (folder / "pictures-x.json").write_text(json.dumps({"budget": {}, "runs": told}))
    page(
        root,
        "Measured: <!-- = claims/pictures-x/a/miou -->.50, <!-- = claims/pictures-x/a - b/miou * 100 -->15 points\n",
    )
    assert list(check_numbers(root, {})) == []
    with pytest.raises(LookupError, match="measured with no seed"):
        look_up("claims/pictures-x/c/miou", root / "benchmarks" / "results")


def test_cards_of_bundled_models_give_the_number_behind_some_words(root: Path) -> None:
    (root / "intarsia" / "zoo").mkdir(parents=True)
    (root / "intarsia" / "zoo" / "a.md").write_text("val_miou 0.7466, 0.1\n\n| car | 0.5 |\n| car | 0.6 |\n")
    page(root, "Measured: <!-- = card/a/val_miou -->.747\n")
    assert list(check_numbers(root, {})) == []
    with pytest.raises(LookupError, match="stands before 2 numbers"):
        look_up("card/a/| car |", root / "benchmarks" / "results")


def test_results_are_found_by_words(root: Path) -> None:
    results = root / "benchmarks" / "results"
    assert look_up("crf/large/ours", results) == 12345.6 and look_up("crf/1/unit", results) == "MB"
    row = "| `python benchmarks/crf.py` | 2026-11-30 | Some CPU, avx2, 2 cores, torch 2.14.1 | 0.1 |"
    assert row in results_table(results)
    assert without_marks("<!-- = crf/large/ours * 10 -->12 s <!-- skip: x -->") == "12 s <!-- skip: x -->"
