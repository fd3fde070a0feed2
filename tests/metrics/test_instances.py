"""Instance average precision against hand-computed numbers and pycocotools."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scenes import CLASSES, THINGS, crowded, scene

from intarsia.errors import DataError, UsageError
from intarsia.metrics import InstanceAP

Scene = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def scores_of(seed: int, instances: np.ndarray) -> dict[int, float]:
    random = np.random.default_rng(seed)
    return {int(number): float(random.random()) for number in np.unique(instances) if number}


def measured(*seeds: int, made=scene) -> InstanceAP:
    metric = InstanceAP(CLASSES, things=THINGS)
    for seed in seeds:
        prediction, predicted, target, instances = made(seed)
        metric.update(
            prediction, target, prediction_instances=predicted, target_instances=instances,
            scores=scores_of(seed, predicted),
        )  # fmt: skip
    return metric


def coco_table(seeds: range, made) -> np.ndarray:
    """(C, thresholds) of COCO's own evaluation; unknown elements join the crowd of every class."""
    images, truths, found = [], [], []
    for seed in seeds:
        prediction, predicted, target, instances = made(seed)
        images.append({"id": seed + 1, "width": target.shape[1], "height": target.shape[0]})
        scores = scores_of(seed, predicted)
        for label in THINGS:
            for number in np.unique(instances[(target == label) & (instances > 0)]):
                truths.append(annotation(seed, label, (target == label) & (instances == number), len(truths)))
            crowd = (target == 255) | ((target == label) & (instances == 0))
            truths.append(annotation(seed, label, crowd, len(truths)) | {"iscrowd": 1})
            for number in np.unique(predicted[prediction == label]):
                one = annotation(seed, label, (prediction == label) & (predicted == number), len(found))
                found.append(one | {"score": scores[int(number)]})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": truths, "categories": [{"id": label} for label in THINGS]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes, all areas, 100 instances
    table = np.full((CLASSES, 10), np.nan)
    table[list(THINGS)] = np.where(precision[:, 0] < 0, np.nan, precision.mean(axis=1)).T
    return table


def annotation(seed: int, label: int, mask: np.ndarray, number: int) -> dict:
    encoded = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "id": number + 1, "image_id": seed + 1, "category_id": label, "segmentation": encoded,
        "area": float(mask.sum()), "bbox": rle.toBbox(encoded).tolist(), "iscrowd": 0,
    }  # fmt: skip


@pytest.mark.parametrize("made", [scene, crowded])
@pytest.mark.parametrize("seeds", [range(0, 1), range(1, 7), range(7, 27)])
def test_equals_pycocotools(seeds: range, made) -> None:
    found = measured(*seeds, made=made).compute()
    expected = coco_table(seeds, made)
    assert np.nanmax(expected) > 0.15
    assert np.allclose(found.table, expected, equal_nan=True)
    assert found.ap == pytest.approx(np.nanmean(expected))
    assert found.ap50 == pytest.approx(np.nanmean(expected[:, 0]))
    assert found.ap75 == pytest.approx(np.nanmean(expected[:, 5]))
    assert np.allclose(found.per_class, expected.mean(axis=1), equal_nan=True)


def test_hand_computed() -> None:
    target = np.zeros((1, 20), int)
    instances = np.repeat([1, 2], 10)[None]
    predicted = np.concatenate([np.full(8, 5), [7, 7], np.full(6, 6), np.zeros(4, int)])[None]
    metric = InstanceAP(1)
    metric.update(
        target, target, prediction_instances=predicted, target_instances=instances, scores={5: 0.9, 7: 0.8, 6: 0.7}
    )
    # 5 has IoU .8 with 1, 6 has .6 with 2, 7 is false: at .5 precisions 1 and 2/3 for recalls .5 and 1
    found = metric.compute()
    assert found.ap50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert found.ap75 == pytest.approx(51 / 101)
    assert found.table[0, 7:].tolist() == [0, 0, 0]


def test_no_truth_no_prediction_and_merge() -> None:
    metric = InstanceAP(CLASSES, things=THINGS)
    assert np.isnan(metric.compute().ap) and metric.compute().to_json()["ap50"] is None
    ones = np.full((2, 2), 2)
    metric.update(ones, ones, prediction_instances=ones * 0, target_instances=ones, scores={})
    assert metric.compute().per_class[2] == 0
    first, second = measured(1, 2), measured(3)
    first.merge(second)
    assert np.array_equal(first.compute().table, measured(1, 2, 3).compute().table, equal_nan=True)
    with pytest.raises(UsageError, match="same classes and settings"):
        first.merge(InstanceAP(CLASSES))


def test_bad_input_is_explained() -> None:
    ones = np.ones((2, 2), int)
    metric = InstanceAP(2)
    with pytest.raises(DataError, match="the predicted instance 1 has no score"):
        metric.update(ones, ones, prediction_instances=ones, target_instances=ones, scores={})
    with pytest.raises(DataError, match="hold NaN or infinity"):
        metric.update(ones, ones, prediction_instances=ones, target_instances=ones, scores={1: np.nan})
    assert np.isnan(metric.compute().per_class[0])
