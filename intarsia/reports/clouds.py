"""Clouds in a report: seen from above, as pictures of truth and prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.evaluation import Evaluation
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds import PointCloud
from intarsia.media.clouds.render import draw, view
from intarsia.reports.pictures import Sample

_SIZE = 480
_WORST = 8
_PAGES = "clouds"


def cloud_samples(
    predictor: CloudPredictor,
    split: CloudSplit,
    names: Sequence[str],
    evaluation: Evaluation,
    *,
    report: Path | None = None,
) -> dict[str, Sample]:
    """Clouds of a split from above, with truth, prediction and score, by id.

    Args:
        predictor: the model.
        split: where they are from.
        names: their ids.
        evaluation: of the model on the split.
        report: folder of a report to which pages are added that show them in 3D; None: none are.
    """
    scores = {row.id: row.miou for row in evaluation.images}
    lookup = predictor.space.lookup_from(split.space)
    found = {}
    for index, item in enumerate(split.items):
        if item.id in names:
            cloud, target = split.read(index)
            result, truth = predictor.segment(cloud), lookup[target]
            sample = _sample(item.id, cloud, truth, result.labels, predictor.space, scores[item.id])
            if report is not None:
                sample = replace(sample, page=f"{_PAGES}/{item.id.replace('/', '_')}.html")
                (report / _PAGES).mkdir(parents=True, exist_ok=True)
                result.viewer(report / sample.page, truth)
            found[item.id] = sample
    return found


def worst_clouds(predictor: CloudPredictor, split: CloudSplit, evaluation: Evaluation, report: Path) -> list[Sample]:
    """The clouds of a split with the lowest mIoU, worst first, each with a page in the report's folder."""
    names = [row.id for row in evaluation.images if not math.isnan(row.miou)][:_WORST]
    found = cloud_samples(predictor, split, names, evaluation, report=report)
    return [found[name] for name in names]


def _sample(
    name: str, cloud: PointCloud, truth: LabelArray, labels: LabelArray, space: LabelSpace, miou: float
) -> Sample:
    picture = view(cloud.xyz[:, 0], cloud.xyz[:, 1], cloud.xyz[:, 2], _SIZE)

    def seen(values: LabelArray) -> LabelArray:
        shown: LabelArray = np.where(picture >= 0, values[picture], space.ignore_index).astype(space.dtype)
        return shown

    return Sample(name, draw(picture, cloud.colors()), seen(truth), seen(labels), f"mIoU {miou:.3f}")
