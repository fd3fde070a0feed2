"""A driver that is killed while two workers are in the middle of the parts of one large source."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jobs_made import files
from parted import large

from intarsia.jobs import plan, run_all
from intarsia.jobs.manifest import PARTS

DRIVEN = Path(__file__).with_name("driven.py")
NEEDS = {"raster": "rasterio", "video": "av", "cloud": "laspy"}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
@pytest.mark.usefixtures("small_clouds")
@pytest.mark.parametrize("medium", NEEDS)
def test_what_a_killed_driver_left_is_gone_on_with(medium: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS[medium])
    done = subprocess.run([sys.executable, DRIVEN, medium, tmp_path, "local:2"], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    one, two = tmp_path / "one", tmp_path / "out"
    left = [path for path in files(two) if not path.startswith((".", "manifest"))]
    assert left == [], "nothing has its name before it is whole"
    make, source, _ = large(medium, tmp_path)
    run_all(make(), plan(source, one))
    again = run_all(make(), plan(source, two))
    assert (len(again.done), again.exit_code) == (1, 0) and not (two / PARTS).exists()
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    first, second = (json.loads((out / "manifest.jsonl").read_text()) for out in (one, two))  # of one line each
    assert first | {"seconds": 0} == second | {"seconds": 0}
