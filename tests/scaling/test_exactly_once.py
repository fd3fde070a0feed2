"""The small form of two campaigns: every kill lands, and the folder, or store, is as if there had been none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched in /proc")
def test_killed_jobs_give_what_undisturbed_ones_give(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    command = [sys.executable, str(BENCHMARKS / "exactly_once.py"), "--quick", "--kills", "4", "--json", str(file)]
    done = subprocess.run([*command, "--seed", "3"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(file.read_text())["results"]
    assert result["kills"] >= 4 and sum(result["landed"].values()) == result["kills"]
    assert result["wrong"] == {"missing": 0, "doubled": 0, "left over": 0, "different": 0, "wrong checksums": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched in /proc")
def test_killed_jobs_in_a_store_publish_once(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    file = tmp_path / "result.json"
    command = [sys.executable, str(BENCHMARKS / "stores.py"), "--quick", "--kills", "2", "--json", str(file)]
    done = subprocess.run([*command, "--seed", "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(file.read_text())["results"]
    assert result["kills"] >= 2 and sum(result["landed"].values()) == result["kills"]
    assert set(result["wrong"]) >= {"missing", "doubled lines", "put twice"} and not any(result["wrong"].values())
