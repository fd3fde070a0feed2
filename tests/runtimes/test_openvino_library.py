"""OpenVINO is imported without what tells its makers of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "intarsia"
IMPORTED = re.compile(r"^ *(import openvino\b|from openvino import Core|.*require\(\"openvino\")", re.MULTILINE)


def test_nothing_is_told() -> None:
    pytest.importorskip("openvino")
    script = (
        "from intarsia.runtimes.openvino_library import library; library(); from openvino.tools import ovc; "
        "import sys; print(type(ovc.telemetry).__module__, sys.modules['openvino_telemetry'])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["openvino.tools.ovc.telemetry_stub", "None"]


def test_it_is_imported_in_one_place() -> None:
    found = [file.name for file in PACKAGE.rglob("*.py") if IMPORTED.search(file.read_text(encoding="utf-8"))]
    assert found == ["openvino_library.py"]
