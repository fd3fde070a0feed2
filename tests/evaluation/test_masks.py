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


def test_two_masks_are_compared_whatever_their_names(folders: tuple[Path, Path]) -> None:
    prediction, truth = (folder / "north" / name for folder, name in zip(folders, ("1.png", "0.png"), strict=True))
    found = score_masks(prediction, truth)
    matrix = found.evaluation.matrix.counts
    expected = np.roll(blobs(1), 1, axis=1)
    assert found.complete and [row.id for row in found.evaluation.images] == ["0"]
    assert matrix.sum() == 30 * 40 and np.trace(matrix) == (expected == blobs(0)).sum()
    with pytest.raises(DataError, match="is a file, the other side a folder"):
        score_masks(prediction, folders[1])


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


def coco(path: Path, masks: dict[str, np.ndarray], names: tuple[str, ...] = ("background", "cell", "wall")) -> Path:
    """A COCO file with one RLE a class and image."""
    images, shapes = [], []
    for number, (name, labels) in enumerate(masks.items(), start=1):
        images.append({"id": number, "file_name": f"{name}.jpg", "width": labels.shape[1], "height": labels.shape[0]})
        for index in range(1, len(names)):
            if (labels == index).any():
                shapes.append(
                    {
                        "id": len(shapes) + 1, "image_id": number, "category_id": 10 * index, "iscrowd": 0,
                        "bbox": [0, 0, 1, 1], "area": 1, "segmentation": rle(labels == index),
                    }
                )  # fmt: skip
    categories = [{"id": 10 * index, "name": name} for index, name in enumerate(names) if index]
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": shapes}))
    return path


def rle(mask: np.ndarray) -> dict[str, object]:
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    edges = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return {"size": list(mask.shape), "counts": counts.tolist()}


MADE = {f"{number}": blobs(number) for number in range(3)}
MOVED = {name: np.roll(labels, 1, axis=1) for name, labels in MADE.items()}


def mask_folder(folder: Path, masks: dict[str, np.ndarray], order: tuple[int, ...] = (0, 1, 2)) -> Path:
    for name, labels in masks.items():
        write(folder / f"{name}.png", np.array(order)[labels])
    return folder


@pytest.mark.parametrize("which", ["prediction", "truth", "both"])
def test_a_coco_file_on_either_side(tmp_path: Path, which: str) -> None:
    expected = score_masks(mask_folder(tmp_path / "p", MOVED), mask_folder(tmp_path / "t", MADE)).evaluation
    # the folder's classes lie in another order, and are matched by name
    sides: dict[str, Path] = {}
    for side, masks in (("prediction", MOVED), ("truth", MADE)):
        if which in (side, "both"):
            sides[side] = coco(tmp_path / f"{side}.json", masks)
        else:
            sides[side] = mask_folder(tmp_path / side, masks, (0, 2, 1))
            (sides[side] / "classes.txt").write_text("background\nwall\ncell\n")
    found = score_masks(sides["prediction"], sides["truth"])
    assert found.complete and set(found.evaluation.space.names) == {"background", "cell", "wall"}
    assert found.evaluation.scores.miou == pytest.approx(expected.scores.miou)
    place = found.evaluation.space.names.index("cell")
    assert found.evaluation.scores.iou[place] == pytest.approx(expected.scores.iou[1])
    assert any("drawn from annotations of coco" in note for note in found.folders.notes)


def test_a_list_of_coco_results(tmp_path: Path) -> None:
    truth = coco(tmp_path / "truth.json", MADE)
    shapes = json.loads(coco(tmp_path / "p.json", MOVED).read_text())["annotations"]
    results = [
        {key: one[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 0.9} for one in shapes
    ]
    wrong = {"image_id": 1, "category_id": 10, "score": 0.1, "segmentation": rle(np.ones((30, 40), bool))}
    (tmp_path / "results.json").write_text(json.dumps([*results, wrong]))
    found = score_masks(tmp_path / "results.json", truth).evaluation
    below = MOVED | {"0": np.where(MOVED["0"] > 0, MOVED["0"], 1)}  # the surest lie on top
    expected = score_masks(mask_folder(tmp_path / "m", below), mask_folder(tmp_path / "t", MADE)).evaluation
    assert found.scores.iou.tolist() == pytest.approx(expected.scores.iou.tolist())
    with pytest.raises(DataError, match="compare it with the COCO file that numbers them"):
        score_masks(tmp_path / "results.json", mask_folder(tmp_path / "t", MADE))
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 1, "category_id": 10, "bbox": [0, 0, 3, 3]}]))
    with pytest.raises(DataError, match="boxes alone are no masks"):
        score_masks(tmp_path / "boxes.json", truth)


def test_binary_masks_beside_an_export_of_one_class(tmp_path: Path) -> None:
    ones = {name: np.minimum(labels, 1) for name, labels in MADE.items()}
    truth = coco(tmp_path / "truth.json", ones, ("background", "cell"))
    white = {name: 255 * labels for name, labels in ones.items()}
    found = score_masks(mask_folder(tmp_path / "p", white, tuple(range(256))), truth)
    assert found.evaluation.scores.miou == 1 and found.evaluation.space.names[1] == "cell"
    assert "The masks' foreground is taken as 'cell', the export's only class." in found.folders.notes


def test_what_an_export_cannot_be_compared_with(tmp_path: Path) -> None:
    truth = coco(tmp_path / "truth.json", MADE | {"9": MADE["0"]})
    masks = mask_folder(tmp_path / "p", MOVED)
    with pytest.raises(DataError, match=r"share no class.*name the masks' classes in the export's words"):
        score_masks(masks, truth)
    (masks / "classes.txt").write_text("background\ncell\nwall\n")
    write(masks / "0.png", np.zeros((3, 4)))
    found = score_masks(masks, truth)
    assert not found.complete and [path.name for path in found.folders.missing] == ["9"]
    assert f"{tmp_path / 'truth.json' / '0'} is 40x30" in found.failures["0"]
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="neither a mask nor a folder of masks, nor annotations"):
        score_masks(tmp_path / "notes.txt", truth)
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(DataError, match=r"odd\.json"):
        score_masks(tmp_path / "odd.json", truth)


def test_masks_beside_a_coco_file_of_the_same_job_are_compared_as_masks(tmp_path: Path) -> None:
    """A folder is an export only if all its pictures are the photos that the annotations name."""
    truth, predicted = mask_folder(tmp_path / "t", MADE), mask_folder(tmp_path / "p", MOVED)
    expected = score_masks(predicted, truth).evaluation.scores.miou
    coco(predicted / "annotations.json", MADE)
    assert score_masks(predicted, truth).evaluation.scores.miou == expected


def test_segments_are_connected_things(tmp_path: Path) -> None:
    truth, split = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    truth[2:6, 2:12] = truth[10:14, 2:12] = split[2:6, 2:7] = split[2:6, 8:12] = split[10:14, 2:12] = 1
    write(tmp_path / "t" / "a.png", truth)
    write(tmp_path / "p" / "a.png", split)
    found = score_masks(tmp_path / "p", tmp_path / "t", measures=Measures(segments=True)).evaluation
    # of the first thing 20 and 16 of 40 pixels are together, and 4 alone; the second is whole
    expected = (20**2 + 16**2 + 4 + 40**2) / (2 * 40**2)
    assert found.result("segments").rand_split == pytest.approx(expected)
    assert found.result("segments").rand_merge == 1
    assert found.measured[0].means["V(Rand)"] == pytest.approx(2 * expected / (1 + expected))
    assert "of every class but background" in found.measured[0].notes[0]


def test_of_a_whole_data_set_the_photos_are_no_masks(tmp_path: Path) -> None:
    mask_folder(tmp_path / "data" / "masks", MADE)
    for name in MADE:
        photo = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
        write(tmp_path / "data" / "images" / f"{name}.png", photo)
    found = score_masks(mask_folder(tmp_path / "p", MADE), tmp_path / "data")
    assert found.complete and found.evaluation.scores.miou == 1 and len(found.evaluation.images) == 3
