"""Every benchmark says what it does and takes; running one is for people, and the clock is never asserted."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"

# One process for all of them: they share the seconds that importing torch takes, and change no path or setting here.
ASK = """
import contextlib, io, json, runpy, sys

said = {}
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            runpy.run_path(script, run_name="__main__")
            end = "it went on instead of printing its help"
        except SystemExit as leaving:
            end = leaving.code or ""
        except Exception as error:
            end = f"{type(error).__name__}: {error}"
    said[script] = [end, out.getvalue()]
print(json.dumps(said))
"""


def scripts() -> list[Path]:
    """Every file but those that others import."""
    files = sorted(FOLDER.glob("*.py"))
    imported = {
        node.module
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    return [file for file in files if file.stem not in imported]


def test_every_benchmark_explains_itself() -> None:
    asked = scripts()
    assert {"crf", "data", "training", "video"} <= {file.stem for file in asked}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, asked)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER), *sys.path])},
        capture_output=True,
        check=True,
    )
    for file, (end, said) in json.loads(done.stdout).items():
        assert end == "", f"{file}: {end}"
        assert "--quick" in said and "--json" in said, f"{file}: --help does not name --quick and --json"
        first = (ast.get_docstring(ast.parse(Path(file).read_text(encoding="utf-8"))) or "").split()[:4]
        assert first and " ".join(first) in " ".join(said.split()), f"{file}: --help does not say what is compared"
