"""The site, built once for all tests that look at it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it; its problems are the error. Of several workers one builds, the others wait."""
    pytest.importorskip("mkdocs", reason="needs intarsia[docs]")
    from docs.shell import ROOT
    from handbook.stage import SITE

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    said = shared / "site.txt"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            paths = os.pathsep.join([str(ROOT / "tools"), str(ROOT)])
            command = [sys.executable, "-m", "handbook"]
            environment = {**os.environ, "PYTHONPATH": paths}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            said.write_text(f"{done.returncode}\n{done.stderr}", encoding="utf-8")
    code, _, problems = said.read_text(encoding="utf-8").partition("\n")
    assert code == "0", problems
    return SITE
