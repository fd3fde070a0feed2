"""Panoptic quality against hand-computed numbers and the Cityscapes and torchmetrics implementations."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import CLASSES, THINGS, crowded, scene

from intarsia.errors import DataError, UsageError
from intarsia.metrics import PanopticQuality
from intarsia.metrics.segments import connected_instances


def measured(*scenes: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> PanopticQuality:
    metric = PanopticQuality(CLASSES, things=THINGS)
    for prediction, predicted_instances, target, instances in scenes:
        metric.update(prediction, target, prediction_instances=predicted_instances, target_instances=instances)
    return metric


def test_hand_computed() -> None:
    target = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 1, 255]])
    instances = np.array([[0, 0, 0, 0, 1, 1, 1, 2, 2, 0]])
    prediction = np.array([[0, 0, 0, 1, 1, 1, 1, 1, 0, 1]])
    predicted = np.array([[0, 0, 0, 7, 7, 7, 7, 8, 0, 9]])
    metric = PanopticQuality(2, things=[1])
    metric.update(prediction, target, prediction_instances=predicted, target_instances=instances)
    found = metric.compute()
    # stuff: 3 common of 4 + 4 - 3; things: 7 matches 1 with 3/4; 8 and 2 share 1/2, which is not above; 9 is unknown
    assert found.quality.tolist() == pytest.approx([3 / 5, 0.75 / (1 + 0.5 + 0.5)])
    assert found.segmentation.tolist() == pytest.approx([3 / 5, 3 / 4])
    assert found.recognition.tolist() == pytest.approx([1, 1 / 2])
    assert (found.matches[1], found.false_positives[1], found.false_negatives[1]) == (1, 1, 1)
    assert (found.things, found.stuff) == pytest.approx((0.375, 0.6)) and found.pq == pytest.approx(0.4875)


def test_perfect_missed_invented_and_absent_classes() -> None:
    _, _, target, instances = scene(0)
    found = measured((target, instances, target, instances)).compute()
    assert found.pq == 1
    nothing = np.zeros_like(target)
    metric = PanopticQuality(4, things=[2, 3])
    metric.update(
        np.full((2, 2), 3),
        np.full((2, 2), 2),
        prediction_instances=nothing[:2, :2] + 1,
        target_instances=nothing[:2, :2] + 1,
    )
    found = metric.compute()
    assert found.quality.tolist() == pytest.approx([np.nan, np.nan, 0, 0], nan_ok=True)
    assert found.pq == 0 and np.isnan(found.stuff) and found.to_json()["quality"][0] is None


def brute_force(*scenes: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> dict[int, list[float]]:
    """IoU sum, matches, false positives and negatives by class, as panopticapi defines them, mask by mask."""
    found = {label: [0.0, 0, 0, 0] for label in range(CLASSES)}
    for prediction, predicted, target, instances in scenes:
        sides = []
        for labels, numbers in ((prediction, predicted), (target, instances)):
            masks = [(label, labels == label) for label in range(CLASSES) if label not in THINGS]
            for label in THINGS:
                masks += [(label, (labels == label) & (numbers == n)) for n in np.unique(numbers[labels == label]) if n]
            sides.append([(label, mask) for label, mask in masks if mask.any()])
        void = target == 255
        matched = set()
        for label, mask in sides[1]:
            hit = False
            for place, (guess, other) in enumerate(sides[0]):
                iou = (mask & other).sum() / (mask | (other & ~void)).sum()
                if guess == label and iou > 0.5:
                    found[label][0] += iou
                    found[label][1] += 1
                    matched.add(place)
                    hit = True
            found[label][3] += not hit
        for place, (guess, mask) in enumerate(sides[0]):
            crowd = (target == guess) & (instances == 0) & (guess in THINGS)
            excused = (mask & (void | crowd)).sum() / mask.sum() > 0.5
            found[guess][2] += place not in matched and not excused
    return found


@pytest.mark.parametrize("made", [scene, crowded])
def test_equals_brute_force(made) -> None:
    scenes = [made(seed) for seed in range(12)]
    found, expected = measured(*scenes).compute(), brute_force(*scenes)
    for label, (iou, matches, extra, missed) in expected.items():
        assert found.segmentation[label] * found.matches[label] == pytest.approx(iou)
        assert (matches, extra, missed) == (
            found.matches[label], found.false_positives[label], found.false_negatives[label],
        )  # fmt: skip


def test_a_crowd_of_another_class_excuses_nothing() -> None:
    target = np.full((10, 10), 2)
    target[:5] = 1
    prediction = np.full((10, 10), 2)
    prediction[:4] = 0
    none = np.zeros((10, 10), int)
    predicted = none.copy()
    predicted[:4] = 1
    metric = PanopticQuality(3, things=[0, 1])
    metric.update(prediction, target, prediction_instances=predicted, target_instances=none)
    found = metric.compute()
    assert found.false_positives.tolist() == [1, 0, 0]
    # the fifth row is a crowd of class 1, and counts in the union of the stuff predicted there
    assert found.segmentation[2] == pytest.approx(50 / 60)


def test_things_without_instance_are_a_crowd() -> None:
    metric = PanopticQuality(2, things=[1])
    ones, none = np.ones((2, 2), int), np.zeros((2, 2), int)
    metric.update(ones, ones, prediction_instances=ones, target_instances=none)  # a group: no false positive
    metric.update(ones, ones, prediction_instances=none, target_instances=ones)  # nothing predicted: a miss
    found = metric.compute()
    assert (found.false_positives[1], found.false_negatives[1], found.matches[1]) == (0, 1, 0)


def test_merge_equals_one_pass() -> None:
    whole, first, second = measured(scene(1), scene(2)), measured(scene(1)), measured(scene(2))
    first.merge(second)
    assert np.array_equal(first.compute().quality, whole.compute().quality, equal_nan=True)
    with pytest.raises(UsageError, match="same classes and settings"):
        first.merge(PanopticQuality(CLASSES, things=[2]))


@pytest.mark.parametrize("seed", range(4))
def test_equals_torchmetrics(seed: int) -> None:
    from torchmetrics.functional.detection import panoptic_quality

    prediction, predicted, target, instances = scene(seed)
    # it knows unknown elements as one more class, and returns 0 for classes without a segment
    maps = [
        torch.from_numpy(np.stack(pair, axis=-1))[None].long()
        for pair in ((prediction, predicted), (np.where(target == 255, 9, target), instances))
    ]
    theirs = panoptic_quality(
        *maps, things=set(THINGS), stuffs={0, 1}, allow_unknown_preds_category=True, return_per_class=True
    )
    ours = measured((prediction, predicted, target, instances)).compute().quality
    assert np.nan_to_num(ours[[*THINGS, 0, 1]]) == pytest.approx(theirs[0].numpy(), abs=1e-6)


@pytest.mark.parametrize("made", [scene, crowded])
def test_equals_cityscapes(tmp_path: Path, made) -> None:
    peer: ModuleType = pytest.importorskip("cityscapesscripts.evaluation.evalPanopticSemanticLabeling")
    annotations: list[tuple[dict[str, Any], dict[str, Any]]] = []
    scenes = [made(seed) for seed in range(5)]
    for number, (prediction, predicted, target, instances) in enumerate(scenes):
        pair = []
        for side, labels, numbers in (("gt", target, instances), ("pred", prediction, predicted)):
            ids = np.where(labels == 255, 0, 1 + labels + 10 * numbers)
            segments = [
                {
                    "id": int(i), "category_id": int((i - 1) % 10), "area": int((ids == i).sum()),
                    "iscrowd": int((i - 1) % 10 in THINGS and i <= 10),
                }
                for i in np.unique(ids[ids > 0])
            ]  # fmt: skip
            colors = np.stack([ids % 256, ids // 256, np.zeros_like(ids)], axis=-1).astype(np.uint8)
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(colors).save(tmp_path / side / f"{number}.png")
            pair.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
        annotations.append((pair[0], pair[1]))
    categories = {label: {"isthing": int(label in THINGS)} for label in range(CLASSES)}
    statistics = peer.pq_compute_single_core(0, annotations, tmp_path / "gt", tmp_path / "pred", categories)
    found = measured(*scenes).compute()
    for label in range(CLASSES):
        theirs = statistics[label]
        assert (theirs.tp, theirs.fp, theirs.fn) == (
            found.matches[label], found.false_positives[label], found.false_negatives[label],
        )  # fmt: skip
    for isthing, value in ((None, found.pq), (True, found.things), (False, found.stuff)):
        assert statistics.pq_average(categories, isthing)[0]["pq"] == pytest.approx(value)


def test_connected_components_as_instances() -> None:
    labels = np.array([[1, 1, 0, 2], [0, 0, 1, 2], [1, 0, 0, 1], [1, 2, 2, 1]])
    found = connected_instances(labels, [1, 2])
    assert (found == 0).tolist() == (labels == 0).tolist()
    # two diagonal neighbours are one instance; classes never share one
    assert found[0, 0] == found[1, 2] == found[3, 3] and len(np.unique(found)) == 1 + 2 + 2
    assert not connected_instances(np.zeros((2, 2), int), [1]).any()


def test_bad_input_is_explained() -> None:
    metric = PanopticQuality(2, things=[1])
    zeros = np.zeros((2, 2), int)
    with pytest.raises(DataError, match="down to -1"):
        metric.update(zeros, zeros, prediction_instances=zeros - 1, target_instances=zeros)
    with pytest.raises(DataError, match="differ in shape"):
        metric.update(zeros, zeros, prediction_instances=zeros[:1], target_instances=zeros)
    with pytest.raises(DataError, match="nor ignore_index 255: 2"):
        metric.update(zeros, zeros + 2, prediction_instances=zeros, target_instances=zeros)
    with pytest.raises(DataError, match="not float64"):
        metric.update(zeros, zeros * 1.0, prediction_instances=zeros, target_instances=zeros)
    with pytest.raises(UsageError, match="3 is none of the classes"):
        PanopticQuality(2, things=[3])
    metric.update(zeros[:0], zeros[:0], prediction_instances=zeros[:0], target_instances=zeros[:0])
    assert np.isnan(metric.compute().pq)
