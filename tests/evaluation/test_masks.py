"""Scores of folders of masks, and the optional measures of an evaluation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.errors import DataError, UsageError
from intarsia.evaluation import Measures, score_masks
from intarsia.evaluation.scoring import Scorer
from intarsia.labels import LabelSpace
from intarsia.metrics import BoundaryF1, BoundaryIoU, SurfaceDistance


def write(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(path)


def blobs(seed: int) -> np.ndarray:
    labels = np.zeros((30, 40), np.uint8)
    random = np.random.default_rng(seed)
    for label in (1, 2):
        top, left = random.integers(0, 20), random.integers(0, 30)
        labels[top : top + 8, left : left + 9] = label
    return labels


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for number in range(4):
        name = f"{'north' if number < 2 else 'south'}/{number}.png"
        write(tmp_path / "truth" / name, blobs(number))
        write(tmp_path / "pred" / name, np.roll(blobs(number), number, axis=1))
    return tmp_path / "pred", tmp_path / "truth"


def test_scores_worst_first_and_by_folder(folders: tuple[Path, Path]) -> None:
    seen: list[tuple[int, int]] = []
    found = score_masks(*folders, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4) and found.complete
    evaluation = found.evaluation
    assert [row.id for row in evaluation.images][-1] == "north/0" and evaluation.images[-1].miou == 1
    rows = [row.miou for row in evaluation.images]
    assert rows == sorted(rows) and evaluation.image_miou == pytest.approx(np.mean(rows))
    assert list(evaluation.groups) == ["north", "south"]
    total = sum(matrix.counts for matrix in evaluation.groups.values())
    assert np.array_equal(total, evaluation.matrix.counts) and total.sum() == 4 * 30 * 40
    assert evaluation.groups["north"].compute().miou > evaluation.groups["south"].compute().miou


def test_measures_are_those_of_the_metrics(folders: tuple[Path, Path]) -> None:
    found = score_masks(*folders, measures=Measures(boundary=True, spacing=(2.0, 1.0))).evaluation
    iou, f1, surface = BoundaryIoU(3), BoundaryF1(3), SurfaceDistance(3, spacing=(2.0, 1.0))
    for number in range(4):
        for metric in (iou, f1, surface):
            metric.update(np.roll(blobs(number), number, axis=1), blobs(number))
    boundary, distances = found.result("boundary"), found.result("surface")
    assert boundary.iou.per_class.tolist() == iou.compute().per_class.tolist()
    assert boundary.f1.per_class.tolist() == f1.compute().per_class.tolist()
    assert distances.hd95.tolist() == surface.compute().hd95.tolist()
    assert boundary.trimap[16].pixel_accuracy > boundary.trimap[1].pixel_accuracy
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["boundary"]["iou"]["mean"] == pytest.approx(iou.compute().mean)
    assert plain["groups"]["north"]["miou"] == pytest.approx(found.groups["north"].compute().miou)
    assert "ranking" not in plain
    with pytest.raises(UsageError, match="positive numbers only"):
        score_masks(*folders, measures=Measures(spacing=(0.0, 1.0)))


def test_pairs_that_cannot_be_compared_are_named(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "north" / "0.png", np.zeros((3, 4)))
    (folders[0] / "south" / "3.png").unlink()
    found = score_masks(*folders)
    assert not found.complete and list(found.failures) == ["north/0"]
    assert "4x3 pixels" in found.failures["north/0"]
    assert [path.name for path in found.folders.missing] == ["3.png"]
    assert len(found.evaluation.images) == 2
    assert found.to_json()["failures"].keys() == {"north/0"}
    for path in folders[0].rglob("*.png"):
        write(path, np.zeros((3, 4)))
    with pytest.raises(DataError, match="none of the 3 pairs can be compared; the first"):
        score_masks(*folders)


def test_empty_truth_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "pred" / "a.png", np.array([[0, 1]]))
    write(tmp_path / "truth" / "a.png", np.array([[7, 7]]))
    with pytest.raises(DataError, match=r"no pixel of the masks in .*truth is labelled"):
        score_masks(tmp_path / "pred", tmp_path / "truth", ignore=[7])


def test_probabilities_give_curves_and_calibration() -> None:
    scorer = Scorer(LabelSpace(("dark", "bright")), Measures(curves=True))
    bright = np.array([[0.9, 0.8, 0.3, 0.6]], np.float32)
    target = np.array([[1, 1, 0, 255]], np.uint8)
    scorer.add("one", (bright > 0.5).astype(np.uint8), target)
    scorer.add_part((bright > 0.5).astype(np.uint8), target, np.stack([1 - bright, bright]))
    found = scorer.finish("mine", "val")
    assert found.result("ranking").mean_ap == pytest.approx(1)
    assert found.result("reliability").ece == pytest.approx((0.1 + 0.2 + 0.3) / 3, abs=1e-6)
    assert found.groups == {} and math.isclose(found.image_miou, 1)
    assert found.to_json()["ranking"]["ap"] == pytest.approx([1, 1])
