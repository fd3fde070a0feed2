"""`intarsia metrics`, and the report of `intarsia evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TinyRun


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        truth = random.integers(0, 3, (20, 30)).astype(np.uint8)
        truth[:, :3] = 9
        for folder, labels in (("pred", np.where(random.random(truth.shape) < 0.8, truth, 1)), ("truth", truth)):
            (tmp_path / folder).mkdir(exist_ok=True)
            labels = np.where((folder == "pred") & (labels == 9), 0, labels)
            Image.fromarray(labels.astype(np.uint8)).save(tmp_path / folder / f"{name}.png")
    return tmp_path / "pred", tmp_path / "truth"


def test_prints_the_scores_by_name(cli: Cli, folders: tuple[Path, Path]) -> None:
    assert cli("metrics", *folders, "--classes", "road, car,sky", "--ignore", "9") == 0
    assert "2 masks of" in cli.out and "car" in cli.out and "mIoU 0." in cli.out
    assert "Mask value 9 is ignored (as asked)." in cli.out
    assert cli("metrics", *folders, "--classes", "road,car,sky", "--ignore", "9", "--json") == 0
    found: Any = json.loads(cli.out)
    assert found["classes"] == ["road", "car", "sky"] and found["missing"] == []
    assert sum(map(sum, found["confusion"])) == 2 * 20 * 27
    names = folders[1] / "names.txt"
    names.write_text("road\ncar\nsky\n")
    assert cli("metrics", *folders, "--classes", names, "--ignore", "9", "--json") == 0
    assert json.loads(cli.out)["scores"] == found["scores"]
    assert cli("metrics", *folders, "--classes", "0:road,1:car,2:sky", "--ignore", "9", "--json") == 0
    assert json.loads(cli.out)["scores"] == found["scores"]


def test_more_measures_and_a_report(cli: Cli, folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "report"
    arguments = ("metrics", *folders, "--ignore", "9", "--boundary", "--spacing", "0.7", "-o", out)
    assert cli(*arguments) == 0
    assert "boundary IoU 0." in cli.out and "mean HD95" in cli.out and str(out / "evaluation.html") in cli.out
    assert {path.name for path in out.iterdir()} == {
        "evaluation.html", "scores.json", "classes.csv", "images.csv", "confusion.csv", "confusion.png",
    }  # fmt: skip
    assert "Worst pictures" in (out / "evaluation.html").read_text()
    assert cli(*arguments) == 2 and "--overwrite" in cli.err
    assert cli(*arguments, "--overwrite") == 0


def test_exit_codes(cli: Cli, folders: tuple[Path, Path], tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folders[0] / "b.png")
    assert cli("metrics", *folders, "--ignore", "9") == 1
    assert "failed: b: " in cli.err and "export the prediction at that size" in cli.err
    (folders[0] / "b.png").rename(folders[0] / "c.png")
    assert cli("metrics", *folders, "--ignore", "9", "--json") == 1
    assert "1 true masks have no prediction and were not compared" in cli.err
    assert "1 predictions have no true mask" in cli.err
    assert len(json.loads(cli.out)["missing"]) == 1
    assert cli("metrics", tmp_path / "nowhere", folders[1]) == 3
    assert cli("metrics", *folders, "--ignore", "9", "--spacing", "0") == 2
    assert "positive numbers only" in cli.err
    assert cli("metrics", *folders, "--spacing", "a,b") == 2
    assert "--spacing is one number, or two" in cli.err
    assert cli("metrics", *folders, "--classes", "a,a") == 3
    assert "class names must be unique" in cli.err


def test_evaluate_writes_its_report(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    arguments = ("evaluate", "-m", tiny_run.run.folder, tiny_run.data, "--split", "val", "-o", tmp_path / "out")
    assert cli(*arguments, "--boundary", "--curves", "--spacing", "1,1") == 0
    assert "mean AP" in cli.out and "calibration error" in cli.out and "Boundary F1" in cli.out
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert page.count("<figcaption>wrong in red") == 2 and "Ranking and calibration" in page
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert 0 <= scores["reliability"]["ece"] <= 1 and len(scores["ranking"]["ap"]) == len(scores["classes"])
    assert cli(*arguments) == 2 and "--overwrite" in cli.err


def test_results_do_not_go_where_masks_are(cli: Cli, tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / side / "m.png")
    for side in ("a", "b"):
        assert cli("metrics", tmp_path / "a", tmp_path / "b", "-o", tmp_path / side, "--overwrite") == 2
        assert "is one that is compared, where a later run would take results for masks" in cli.err
    assert cli("metrics", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out") == 0
