"""Hostile ONNX files at every command that takes a model: one error, nothing written, 4 if found on opening.

What a network computes depends on the picture: that is an error of the picture's line, and 3 where no picture is left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from onnx_hostile import COMPUTED, FILES, NETWORKS, hostile_folder, write_hostile
from PIL import Image

OPENED = ["half", "no description", "sparse weights elsewhere"]


@pytest.mark.parametrize("name", [*FILES, *NETWORKS])
def test_segment_writes_nothing(tmp_path: Path, cli: Cli, name: str) -> None:
    file, _ = write_hostile(name, hostile_folder(tmp_path))
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    Image.fromarray(np.full((20, 32, 3), 40, np.uint8)).save(photo)
    assert cli("segment", photo, "-m", file, "-o", out, "--runtime", "onnx") == (3 if name in COMPUTED else 4)
    assert file.name in cli.err and "Traceback" not in cli.err
    assert not list(out.glob("**/*.png"))


@pytest.mark.needs_torch
@pytest.mark.parametrize("name", OPENED)
def test_export_writes_nothing(tmp_path: Path, cli: Cli, name: str) -> None:
    file, _ = write_hostile(name, hostile_folder(tmp_path))
    assert cli("export", file, "-o", tmp_path / "other.xml") == 4
    assert file.name in cli.err and "Traceback" not in cli.err
    assert not (tmp_path / "other.xml").exists()


@pytest.mark.parametrize("name", OPENED)
def test_serve_does_not_start(tmp_path: Path, cli: Cli, name: str) -> None:
    pytest.importorskip("fastapi", reason="needs pip install 'intarsia[serve]'")
    file, _ = write_hostile(name, hostile_folder(tmp_path))
    assert cli("serve", "-m", file, "--port", "0") == 4
    assert file.name in cli.err and "Traceback" not in cli.err
