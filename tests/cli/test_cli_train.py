"""`intarsia train --dry-run`: what a training takes, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Cli

from intarsia.datasets.synthetic import write_scenes

RECIPE = """
model:
  architecture: deeplabv3plus
  options: {encoder: test_efficientnet, output_stride: 32, channels: 8, low_channels: 8}
input: {crop: [32, 32]}
training: {epochs: 3, batch_size: 4, precision: fp32, workers: 0}
"""


@pytest.mark.needs_torch
def test_a_rehearsal_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    data = write_scenes(tmp_path / "data", 16, size=(40, 56), seed=0)
    before = sorted(tmp_path.rglob("*"))
    file, out = tmp_path / "recipe.yaml", tmp_path / "run"
    file.write_text(f"{RECIPE}data: {{path: {data}}}\n")
    assert cli("train", file, "-o", out, "--dry-run") == 0, cli.err
    assert "Memory: about" in cli.out and "steps, validations not counted" in cli.out
    told = cli.json("train", file, "-o", out, "--dry-run")
    assert told["expected"]["steps"] > 0 and told["expected"]["memory"] > 0
    assert told["recipe"]["training"]["workers"] == 0
    assert sorted(tmp_path.rglob("*")) == sorted([*before, file])
