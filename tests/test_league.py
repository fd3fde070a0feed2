"""The league's parts and scores."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks/league"


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in ("sets", "scoring", "table", "run"):
        sys.modules.pop(name, None)


def test_groups_stay_together_and_a_given_test_part_is_kept():
    sets = importlib.import_module("sets")

    def pair(number):
        return sets.Pair(Path(f"{number}.png"), lambda: np.zeros((2, 2), np.uint8), f"patient{number // 3}")

    pairs = [pair(number) for number in range(60)]
    divided = sets.parts(pairs, [])
    groups = {name: {one.group for one in of} for name, of in divided.items()}
    assert [len(groups[name]) for name in ("train", "val", "test")] == [14, 2, 4]
    assert not groups["train"] & groups["test"] and not groups["val"] & groups["test"] | groups["val"] & groups["train"]
    given = sets.parts(pairs, [pair(300 + number) for number in range(200)])
    assert len(given["train"]) == 54 and len(given["test"]) == sets.MOST_TESTED
    assert {one.group for one in given["test"]} <= {f"patient{number // 3}" for number in range(300, 500)}


def test_scores_and_the_peers_own(tmp_path):
    scoring = importlib.import_module("scoring")
    (tmp_path / "test/masks").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    truth = np.zeros((8, 8), np.uint8)
    truth[:, 4:] = 1
    truth[0] = 255
    found = np.zeros((8, 8), np.uint8)
    found[:, 6:] = 1
    cv2.imwrite(str(tmp_path / "test/masks/a.png"), truth)
    cv2.imwrite(str(tmp_path / "labels/a.png"), found)
    (tmp_path / "set.json").write_text(json.dumps({"classes": ["ground", "thing"], "ignore": 255}))
    made = {name: scoring.score(tmp_path, tmp_path / "labels", name) for name in scoring.OWN}
    first = made["mean IoU"]
    assert first["iou"] == pytest.approx({"ground": 28 / 42, "thing": 14 / 28})
    assert first["miou"] == first["own"] == pytest.approx((28 / 42 + 0.5) / 2)
    assert made["dataset IoU (micro)"]["own"] == pytest.approx(42 / 70)
    assert made["foreground Dice"]["own"] == pytest.approx(2 * 14 / 42)
    assert made["pixel accuracy"]["own"] == pytest.approx(42 / 56)
    assert made["mean IoU at 520"]["own"] == pytest.approx(first["miou"], abs=0.02)
    cv2.imwrite(str(tmp_path / "labels/a.png"), found[:4])
    with pytest.raises(SystemExit, match=r"a\.png: missing, or not as large as its picture"):
        scoring.score(tmp_path, tmp_path / "labels", "mean IoU")


def test_the_page_is_made_from_the_results():
    table = importlib.import_module("table")
    made = table.tables(json.loads(table.RESULTS.read_text()))
    assert made in table.PAGE.read_text(encoding="utf-8")
