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
pytest.importorskip("openvino")

from one_layer import write

# For each file, a child kills itself instead of the rename of that number: all are forked from what imports once.
KILLED = """
import os, signal, sys
from pathlib import Path
from one_layer import write

replace = os.replace

def dying(deadly):
    renames = []

    def rename(*names):
        renames.append(names)
        if len(renames) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names)

    return rename

for file, deadly in zip(sys.argv[1::2], sys.argv[2::2]):
    child = os.fork()
    if not child:
        os.replace = dying(int(deadly))
        write(Path(file))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By ending, the file that was being written when the first (.onnx) or second (.xml) rename was its death."""
    files = {ending: tmp_path_factory.mktemp("killed") / f"a{ending}" for ending in (".onnx", ".xml")}
    renames = {".onnx": "1", ".xml": "2"}
    command = [sys.executable, "-c", KILLED]
    for ending, file in files.items():
        command += [str(file), renames[ending]]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[1:3]))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * 2, done.stderr
    return files


def ask(file: Path) -> None:
    check_request(file, "fp32", calibrated=False, max_drop=0.3, overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_an_onnx_file_is_whole_or_not_there(died: dict[str, Path]) -> None:
    file = died[".onnx"]
    assert not file.exists() and len(list(file.parent.iterdir())) == 1
    ask(file)
    write(file)
    assert [path.name for path in file.parent.iterdir()] == ["a.onnx"] and metadata(file)["a"] == "b"
    with pytest.raises(UsageError, match=r"a\.onnx exists; give another name"):
        ask(file)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_openvinos_two_files_are_both_there_or_no_model(died: dict[str, Path]) -> None:
    file, numbers = died[".xml"], died[".xml"].with_suffix(".bin")
    assert numbers.exists() and not file.exists()
    ask(file)
    write(file)
    assert sorted(path.name for path in file.parent.iterdir()) == ["a.bin", "a.xml"]
    file.unlink()
    with pytest.raises(UsageError, match=r"a\.bin exists; give another name"):  # somebody's, of whatever kind
        ask(file)
