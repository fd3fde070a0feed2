"""What a report shows of the data: pictures, slices of volumes, and clouds from above, with truth and prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from intarsia.datasets import PictureSplit
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.evaluation import Evaluation, MaskScores
from intarsia.evaluation.predictions import AnyPredictor, AnySplit, seen_by
from intarsia.files import make_folder
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelArray
from intarsia.media.clouds.render import draw, view
from intarsia.media.source import ArraySource, Pixels, as_rgb
from intarsia.reports.pictures import Sample

_SIZE = 480
_WORST = 8
_PAGES = "clouds"


def samples(
    predictor: AnyPredictor,
    split: AnySplit,
    names: Sequence[str],
    evaluation: Evaluation,
    *,
    report: Path | None = None,
) -> list[Sample]:
    """Draw wholes of a split with truth, prediction and score, in the order of their names.

    Args:
        predictor: the model.
        split: where they are from.
        names: their ids.
        evaluation: of the model on the split.
        report: folder of a report to which pages are added, for what is better seen in 3D; None: none are.

    Raises:
        DataError: one of them cannot be read (any more).
    """
    scores = {row.id: f"mIoU {row.miou:.3f}" for row in evaluation.images}
    split = seen_by(predictor, split)
    drawn = _DRAWN[split.medium]
    return [drawn(predictor, split, name, scores[name], report) for name in names]


def worst_samples(
    predictor: AnyPredictor,
    split: AnySplit,
    evaluation: Evaluation,
    *,
    report: Path | None = None,
    count: int = _WORST,
) -> list[Sample]:
    """Draw what has the lowest mIoU of a split, worst first; see `samples`."""
    names = [row.id for row in evaluation.images if not math.isnan(row.miou)][:count]
    return samples(predictor, split, names, evaluation, report=report)


def worst_masks(scores: MaskScores, *, count: int = _WORST) -> list[Sample]:
    """Draw the pairs of masks with the lowest mIoU, worst first."""
    paths = {name: (prediction, truth) for name, prediction, truth in scores.folders.pairs}
    names = [row for row in scores.evaluation.images if not math.isnan(row.miou)][:count]
    found = []
    for row in names:
        prediction, truth = scores.folders.read(*paths[row.id])
        if truth.ndim == 3:  # a volume is shown by its worst slice
            worst = int((prediction != truth).sum(axis=(1, 2)).argmax())
            prediction, truth = prediction[worst], truth[worst]
        found.append(Sample(row.id, None, truth, prediction, f"mIoU {row.miou:.3f}"))
    return found


def _picture(predictor: Predictor, split: PictureSplit, name: str, note: str, report: Path | None) -> Sample:
    """Draw a picture, or the slice that shows a volume."""
    image, target = split.read(split.shown(name))
    rows = predictor.rows(ArraySource(image, name, split.medium))
    labels = np.concatenate([part.labels for part in rows])
    truth = predictor.space.lookup_from(split.space)[target]
    return Sample(name, as_rgb(image, split.medium), truth, labels, note)


def _cloud(predictor: CloudPredictor, split: CloudSplit, name: str, note: str, report: Path | None) -> Sample:
    """Draw a cloud from above, and add a page that shows it in 3D to the report."""
    index = next(index for index, item in enumerate(split.items) if item.id == name)
    cloud, target = split.read(index)
    space = predictor.space
    result, truth = predictor.segment(cloud), space.lookup_from(split.space)[target]
    page = ""
    if report is not None:
        page = f"{_PAGES}/{name.replace('/', '_')}.html"
        make_folder(report / _PAGES)
        result.viewer(report / page, truth)
    picture = view(cloud.xyz[:, 0], cloud.xyz[:, 1], cloud.xyz[:, 2], _SIZE)

    def seen(values: LabelArray) -> LabelArray:
        shown: LabelArray = np.where(picture >= 0, values[picture], space.ignore_index).astype(space.dtype)
        return shown

    return Sample(name, draw(picture, cloud.colors()), seen(truth), seen(result.labels), note, page)


_DRAWN: dict[Pixels | Literal["cloud"], Callable[[Any, Any, str, str, Path | None], Sample]] = {
    "picture": _picture,
    "raster": _picture,
    "volume": _picture,
    "cloud": _cloud,
}
"""What draws one whole of each medium."""
