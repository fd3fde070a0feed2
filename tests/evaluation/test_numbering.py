"""Hints at classes that either side numbers in its own way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.evaluation import score_masks
from intarsia.evaluation.numbering import numbering_hint
from intarsia.metrics import ConfusionMatrix

NAMES = ("sky", "road", "car", "tree")


def hint(truth: list[int], predicted: list[int], classes: int = 4) -> str:
    matrix = ConfusionMatrix(classes)
    matrix.update(np.array(predicted, np.uint8), np.array(truth, np.uint8))
    return numbering_hint(matrix.counts, NAMES[:classes])


@pytest.mark.parametrize(
    ("truth", "predicted", "told"),
    [
        ([0, 0, 0, 1], [1, 1, 1, 0], "two classes look exchanged"),
        ([0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 3, 3], "look shifted by 1"),
        ([2, 2, 3, 3], [0, 0, 1, 1], "look shifted by 2"),
        ([0, 0, 1, 1, 2, 2, 3], [0, 0, 2, 2, 3, 3, 1], "may be numbered in another order"),
        ([0] * 6 + [2, 2], [0] * 6 + [3, 3], "Predicted tree lies where the truth has car: the classes may be"),
    ],
)
def test_masks_numbered_otherwise(truth: list[int], predicted: list[int], told: str) -> None:
    assert told in hint(truth, predicted)


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),
        ([0, 0, 0, 1, 1, 2], [0, 0, 0, 0, 2, 2]),  # a bad prediction: no class lies on another
        ([0, 0, 1, 1], [0, 0, 0, 0]),
        ([0, 0, 1, 1], [255, 255, 255, 255]),
    ],
)
def test_nothing_is_said_of_mere_mistakes(truth: list[int], predicted: list[int]) -> None:
    assert hint(truth, predicted) == ""


def write(folder: Path, labels: np.ndarray, classes: str) -> Path:
    folder.mkdir()
    Image.fromarray(labels).save(folder / "a.png")
    if classes:
        (folder / "classes.txt").write_text(classes)
    return folder


def test_folders_with_class_files_of_their_own_are_matched_by_name(tmp_path: Path) -> None:
    truth = np.zeros((8, 8), np.uint8)
    truth[:4, :4], truth[5:, 5:] = 1, 2
    turned = np.array([1, 2, 0], np.uint8)[truth]
    there = write(tmp_path / "truth", truth, "sky\nroad\ncar\n")
    found = score_masks(write(tmp_path / "own", turned, "car\nsky\nroad\n"), there)
    assert found.evaluation.scores.miou == 1 and found.evaluation.hint == ""
    assert any("matched by name" in note for note in found.folders.notes)
    blind = score_masks(write(tmp_path / "blind", turned, ""), there).evaluation
    assert blind.scores.miou == 0 and blind.to_json()["hint"] == blind.hint
    assert "car lies where the truth has road" in blind.hint
    same = score_masks(write(tmp_path / "same", truth, "0 sky\n1 road\n2 car\n"), there)
    assert same.evaluation.scores.miou == 1 and not any("by name" in note for note in same.folders.notes)
