"""The short form of benchmarks/torture.py, and the damaged files that once were not answered as they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("children are forked, and limited, as Linux does", allow_module_level=True)

from ordeals.mutations import KINDS, damage
from ordeals.servers import GREED, serve

ROOT = Path(__file__).parents[1]
CORPUS = Path(__file__).with_name("ordeals") / "corpus"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What came of each part, all in one process, which has used no thread when it forks."""
    file = tmp_path_factory.mktemp("torture") / "rows.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "torture.py"), "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert file.exists(), done.stderr[-2000:]
    lines: list[dict[str, Any]] = json.loads(file.read_text())["results"]
    assert [fault for line in lines for fault in line["faults"]] == [], done.stdout
    return {part: [line for line in lines if line["part"] == part] for part in ("damage", "kills", "bombs", "places")}


def test_damaged_files_are_read_or_refused(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert len(rows["damage"]) > 50 and all(row["tried"] >= 4 for row in rows["damage"])


def test_the_killed_go_on_to_the_same_end(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert {"segment-pictures", "data-get"} <= {row["what"] for row in rows["kills"]}
    assert all(row["tried"] >= 1 for row in rows["kills"])


def test_bombs_are_refused_by_their_headers(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert {"a.png", "a.gif", "a.zip", "a.las", "a.safetensors"} <= {row["what"] for row in rows["bombs"]}


def test_bad_places_are_named_and_leave_nothing(rows: dict[str, list[dict[str, Any]]]) -> None:
    ends = {row["what"]: row["ends"] for row in rows["places"]}
    assert "cannot write" in ends["segment-pictures: read-only"] and "permission denied" in ends["data-get: read-only"]
    assert "ulimit -f" in ends["data-get: no byte more"] and "connect it again" in ends["data-get: network folder gone"]
    assert ends["segment-pictures: no text"] == "done" and "too long" in ends["segment-pictures: 255 bytes"]


def test_every_damage_is_one_and_can_be_made_again() -> None:
    content = bytes(range(256)) * 3
    made = [damage(content, f"case {number}") for number in range(200)]
    assert made == [damage(content, f"case {number}") for number in range(200)]
    assert {kind for kind, _ in made} == set(KINDS)
    assert all(damaged != content for _, damaged in made)


def test_children_that_die_hang_or_are_greedy_are_told(tmp_path: Path) -> None:
    def work(case: int) -> str:
        if case == 1:
            os.kill(os.getpid(), 11)
        if case == 2:
            return str(len(bytes(2 * GREED)))
        if case == 3:
            raise KeyError("nobody expected it")
        return f"read {case}"

    ends = {outcome.case: outcome for outcome in serve(work, range(5))}
    assert [ends[case].fault for case in range(5)] == ["", "crash", "greed", "defect", ""]
    assert ends[1].said == "signal 11" and "KeyError" in ends[3].said and ends[4].said == "read 4"


READ_AGAIN = """
import json, sys
from pathlib import Path
from ordeals.damage import Ordeal
from ordeals.targets import all_targets

known, corpus = all_targets(), Path(sys.argv[1])
for folder in sorted(corpus.iterdir()):
    if folder.name in known:
        files = sorted(folder.iterdir())
        for file, outcome in zip(files, Ordeal(known[folder.name], Path(sys.argv[2]) / folder.name).read_again(files)):
            print(json.dumps([str(file.relative_to(corpus)), outcome.end, outcome.fault, outcome.said]))
"""


def test_what_was_once_answered_wrongly(tmp_path: Path) -> None:
    """Each file of the corpus crashed, took gigabytes, was a "defect", or was read as something that it is not."""
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", READ_AGAIN, str(CORPUS), str(tmp_path)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) > 12, done.stderr[-2000:]
    for file, end, fault, said in outcomes:
        assert not fault and (end == "refused" or said.startswith("said:")), f"{file}: {end} {fault} {said}"
