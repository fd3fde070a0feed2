"""The same frames become the same bytes, whatever lies in memory that nobody has written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

# A width of 20 macroblocks, at which it was seen.
WRITE = """
import sys
from fractions import Fraction
import numpy as np
from intarsia.media.videowriter import VideoWriter

noise = np.random.default_rng(0).integers(0, 256, (42, 52, 3), dtype=np.uint8).repeat(6, 0).repeat(8, 1)
rate = Fraction(25)
with VideoWriter(sys.argv[1], kind="colour", width=320, height=240, time_base=1 / rate, rate=rate) as writer:
    for index in range(12):
        writer.write(noise[index : index + 240, 2 * index : 2 * index + 320], index)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc fills new memory with what it is told")
def test_files_do_not_depend_on_what_lies_in_memory(tmp_path: Path) -> None:
    found = []
    for filled in ("1", "255"):
        file = tmp_path / f"{filled}.mp4"
        subprocess.run(
            [sys.executable, "-c", WRITE, str(file)], env=os.environ | {"MALLOC_PERTURB_": filled}, check=True
        )
        found.append(file.read_bytes())
    assert found[0] == found[1]
