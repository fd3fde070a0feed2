"""`intarsia segment --on`: many workers from the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image

from intarsia.cli import planned
from intarsia.errors import UsageError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for index in range(16):
        image = random.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "photos" / f"{index:02d}.png")
    return tmp_path / "photos"


def test_what_cannot_be_shared_out_is_refused(
    cli: Cli, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("segment", photos, "-o", tmp_path / "out", "--on", "local:0") == 2
    assert "--on takes local:N (N processes)" in cli.err and "not 'local:0'" in cli.err
    assert cli("segment", photos / "00.png", "-m", "street", "-o", tmp_path / "a.png", "--on", "local:2") == 2
    assert "many workers need a folder for their results: -o FOLDER" in cli.err
    assert cli("segment", photos / "00.png", "-m", "kmeans", "-o", tmp_path / "out", "--on", "local:2") == 2
    assert "kmeans is fitted in this process" in cli.err and not (tmp_path / "out").exists()

    def absent(name: str, extra: str) -> None:
        raise UsageError(f"{name} is not installed; it comes with: pip install 'intarsia[{extra}]'")

    monkeypatch.setattr(planned, "require", absent)
    assert cli("segment", photos, "-o", tmp_path / "out", "--on", "ray") == 2
    assert "pip install 'intarsia[scale]'" in cli.err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups to signal")
def test_a_signal_ends_all_workers_and_the_job_goes_on(cli: Cli, photos: Path, tmp_path: Path) -> None:
    """As of a terminal or a batch system, which signal the workers as well."""
    out = tmp_path / "out"
    arguments = ["segment", str(photos), "-m", "street", "--precision", "fp32", "-o", str(out)]
    command = [sys.executable, "-m", "intarsia", *arguments, "--on", "local:2"]
    job = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while not any(out.glob("*.mask.png")) and job.poll() is None:
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGTERM)
    assert job.wait() == 143
    assert job.stderr is not None and "nothing was left half-written" in job.stderr.read()
    until = time.monotonic() + 60
    with pytest.raises(ProcessLookupError):  # nobody of them is left
        while time.monotonic() < until:
            os.killpg(job.pid, 0)
            time.sleep(0.01)
    assert not any(file.name.startswith(".") for file in out.rglob("*"))
    before = len(list(out.glob("*.mask.png")))
    found = cli.json(*arguments)
    assert len(found["skipped"]) == before and len(found["records"]) == 16 - before
