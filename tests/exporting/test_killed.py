"""Exports that are killed at the worst moments: nothing that looks like a model, and the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intarsia.bundle.onnxfile import metadata
from intarsia.errors import UsageError
from intarsia.exporting.request import check_request

pytest.importorskip("onnx")

from one_layer import write

# Kills itself instead of the rename of that number.
KILLED = """
import os, signal, sys
from pathlib import Path
from one_layer import write

file, deadly = Path(sys.argv[1]), int(sys.argv[2])
replace, renames = os.replace, []

def rename(*names):
    renames.append(names)
    if len(renames) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)

os.replace = rename
write(file)
"""


def write_and_die(file: Path, deadly: int) -> int:
    command = [sys.executable, "-c", KILLED, file, str(deadly)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[1:3]))}
    return subprocess.run(command, check=False, timeout=300, env=environment).returncode


def ask(file: Path) -> None:
    check_request(file, "fp32", calibrated=False, max_drop=0.3, overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_an_onnx_file_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    assert write_and_die(file, 1) == -signal.SIGKILL
    assert not file.exists() and len(list(tmp_path.iterdir())) == 1
    ask(file)
    write(file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"] and metadata(file)["a"] == "b"
    with pytest.raises(UsageError, match=r"a\.onnx exists; give another name"):
        ask(file)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_openvinos_two_files_are_both_there_or_no_model(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    file, numbers = tmp_path / "a.xml", tmp_path / "a.bin"
    assert write_and_die(file, 2) == -signal.SIGKILL
    assert numbers.exists() and not file.exists()
    ask(file)
    write(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.xml"]
    file.unlink()
    with pytest.raises(UsageError, match=r"a\.bin exists; give another name"):  # somebody's, of whatever kind
        ask(file)
