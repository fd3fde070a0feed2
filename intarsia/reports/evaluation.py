"""The report of an evaluation: a page, the tables as CSV, everything as JSON, the confusion matrix as a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from intarsia.datasets import PictureSplit
from intarsia.errors import UsageError, counted
from intarsia.evaluation import Evaluation, MaskScores
from intarsia.files import write_json, write_text
from intarsia.inference import Predictor
from intarsia.media.images import write_image
from intarsia.media.source import ArraySource, as_rgb
from intarsia.metrics import Curve
from intarsia.reports import html
from intarsia.reports.curves import Points, chart
from intarsia.reports.heatmap import confusion_picture
from intarsia.reports.pictures import Sample

PAGE = "evaluation.html"
_WORST = 8
_MOST_POINTS = 200


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds an evaluation already, before anything is measured.

    Raises:
        UsageError: it does.
    """
    if (folder / PAGE).exists() and not overwrite:
        raise UsageError(f"{folder / PAGE} exists; give another folder, or --overwrite")


def write_evaluation(
    folder: Path, evaluation: Evaluation, worst: Sequence[Sample], *, facts: Sequence[tuple[str, str]] = ()
) -> Path:
    """Write `evaluation.html`, `scores.json`, `classes.csv`, `images.csv`, `confusion.csv` and `confusion.png`.

    Args:
        folder: where to; made if need be.
        evaluation: the scores.
        worst: the pictures with the lowest scores, see `worst_pictures` and `worst_masks`.
        facts: (name, value) pairs for the top of the page.

    Returns:
        The page's path.

    Raises:
        DataError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = evaluation.space.names
    write_json(folder / "scores.json", evaluation.to_json())
    write_text(folder / "classes.csv", _csv(*_class_table(evaluation)))
    rows = [[row.id, _cell(row.miou), _cell(row.pixel_accuracy)] for row in evaluation.images]
    write_text(folder / "images.csv", _csv(["id", "miou", "pixel_accuracy"], rows))
    counts = [[name, *map(str, row)] for name, row in zip(names, evaluation.matrix.counts.tolist(), strict=True)]
    write_text(folder / "confusion.csv", _csv(["truth", *names, "no class"], counts))
    write_image(folder / "confusion.png", confusion_picture(evaluation.space, evaluation.matrix))
    write_text(folder / PAGE, evaluation_page(evaluation, worst, facts=facts))
    return folder / PAGE


def evaluation_page(evaluation: Evaluation, worst: Sequence[Sample], *, facts: Sequence[tuple[str, str]] = ()) -> str:
    """The page as one self-contained HTML document."""
    scores, space = evaluation.scores, evaluation.space
    measured = counted(len(evaluation.images), evaluation.medium)
    about = [
        ("Predictions", evaluation.model),
        ("Measured on", f"{evaluation.split}, {measured}, at full resolution"),
        *([("Classes not known", ", ".join(evaluation.unmatched))] if evaluation.unmatched else []),
        *facts,
    ]
    tiles = [*html.outcome(scores), (f"mean of the {evaluation.medium}s' mIoU", evaluation.image_miou)]
    return html.document(
        f"Evaluation of {Path(evaluation.model).name}",
        [
            ("Outcome", html.tiles(tiles) + html.facts(about)),
            ("Classes", html.classes(space, scores)),
            ("Boundaries", _boundaries(evaluation)),
            ("Surface distances", _surfaces(evaluation)),
            ("Ranking and calibration", _curves(evaluation)),
            ("Confusion", html.confusion(space, evaluation.matrix)),
            ("Groups", _groups(evaluation)),
            (f"Worst {evaluation.medium}s", html.gallery(worst, space)),
        ],
    )


def _boundaries(evaluation: Evaluation) -> str:
    found = evaluation.boundary
    if found is None:
        return ""
    rows = [
        (name, _shown(found.iou.per_class[index]), _shown(found.f1.per_class[index]))
        for index, name in enumerate(evaluation.space.names)
    ]
    rows.append(("mean", _shown(found.iou.mean), _shown(found.f1.mean)))
    trimap: dict[str, Points] = {
        "pixel accuracy": [(radius, scores.pixel_accuracy) for radius, scores in found.trimap.items()],
        "mean IoU": [(radius, scores.miou) for radius, scores in found.trimap.items()],
    }
    near = chart("Near boundaries", trimap, x_label="pixels from the boundary, at most")
    return html.table(("Class", "Boundary IoU", "Boundary F1"), rows) + f'<div class="charts">{near}</div>'


def _surfaces(evaluation: Evaluation) -> str:
    found = evaluation.surface
    if found is None:
        return ""
    columns = (found.hausdorff, found.hd95, found.assd)
    rows = [
        (name, *(_shown(column[index]) for column in columns), str(found.images[index]), str(found.misses[index]))
        for index, name in enumerate(evaluation.space.names)
    ]
    rows.append(("mean", *map(_shown, (found.mean_hausdorff, found.mean_hd95, found.mean_assd)), "", ""))
    note = "In the units of the spacing. A miss is a picture with the class in one of truth and prediction only."
    return f'<p class="dim">{note}</p>' + html.table(("Class", "Hausdorff", "HD95", "ASSD", "Pictures", "Misses"), rows)


def _curves(evaluation: Evaluation) -> str:
    ranking, reliability, space = evaluation.ranking, evaluation.reliability, evaluation.space
    if ranking is None or reliability is None:
        return ""
    colors = [html.css(color) for color in space.palette]
    rows = []
    for name, curve, ap in zip(space.names, ranking.curves, ranking.ap, strict=True):
        threshold, f1 = curve.best()
        rows.append((name, _shown(ap), _shown(threshold), _shown(f1)))
    measured = zip(reliability.confidence.tolist(), reliability.accuracy.tolist(), strict=True)
    accuracy = [point for point in measured if not math.isnan(point[0])]
    precision = {name: _points(curve) for name, curve in zip(space.names, ranking.curves, strict=True)}
    charts = chart("Precision", precision, x_label="recall", colors=colors, last=False) + chart(
        "Accuracy",
        {"as measured": accuracy, "if confidence were right": [(0, 0), (1, 1)]},
        x_label="confidence",
        last=False,
    )
    marks = [("mean average precision", ranking.mean_ap), ("expected calibration error", reliability.ece)]
    head = ("Class", "Average precision", "Best threshold", "F1 there")
    return html.tiles(marks) + html.table(head, rows, colors) + f'<div class="charts">{charts}</div>'


def _points(curve: Curve) -> Points:
    """A curve thinned to what a chart can show."""
    step = max(1, len(curve.recall) // _MOST_POINTS)
    return list(zip(curve.recall[::step].tolist(), curve.precision[::step].tolist(), strict=True))


def _groups(evaluation: Evaluation) -> str:
    rows = []
    for name, matrix in evaluation.groups.items():
        scores = matrix.compute()
        values = (scores.miou, scores.pixel_accuracy, scores.mean_accuracy, scores.mean_f1)
        rows.append((name or "(no folder)", *map(_shown, values)))
    head = ("Folder", "Mean IoU", "Pixel accuracy", "Mean accuracy", "Mean F1")
    return html.table(head, rows) if rows else ""


def worst_pictures(
    predictor: Predictor, split: PictureSplit, evaluation: Evaluation, *, count: int = _WORST
) -> list[Sample]:
    """The pictures of a split with the lowest mIoU, worst first.

    Raises:
        DataError: a picture cannot be read (any more).
    """
    names = [row.id for row in evaluation.images if not math.isnan(row.miou)][:count]
    found = samples(predictor, split, names, evaluation)
    return [found[name] for name in names]


def samples(
    predictor: Predictor, split: PictureSplit, names: Sequence[str], evaluation: Evaluation
) -> dict[str, Sample]:
    """Pictures of a split with truth, prediction and score, by id."""
    scores = {row.id: row.miou for row in evaluation.images}
    lookup = predictor.space.lookup_from(split.space)
    split = split.for_input(predictor.preprocessing)
    found = {}
    for name in names:
        index = split.shown(name)
        image, target = split.read(index)
        source = ArraySource(image, name, split.medium)
        labels = np.concatenate([band.labels for band in predictor.bands(source)])
        picture = as_rgb(image, split.medium)
        found[name] = Sample(name, picture, lookup[target], labels, f"mIoU {scores[name]:.3f}")
    return found


def worst_masks(scores: MaskScores, *, count: int = _WORST) -> list[Sample]:
    """The pairs of masks with the lowest mIoU, worst first."""
    paths = {name: (prediction, truth) for name, prediction, truth in scores.folders.pairs}
    found: list[Sample] = []
    for row in scores.evaluation.images:
        if len(found) < count and not math.isnan(row.miou):
            prediction, truth = scores.folders.read(*paths[row.id])
            found.append(Sample(row.id, None, truth, prediction, f"mIoU {row.miou:.3f}"))
    return found


def _class_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    scores = evaluation.scores
    columns = {
        "iou": scores.iou,
        "f1": scores.f1,
        "recall": scores.accuracy,
        "precision": scores.precision,
        "share": scores.frequency,
    }
    if evaluation.boundary is not None:
        columns["boundary_iou"] = evaluation.boundary.iou.per_class
        columns["boundary_f1"] = evaluation.boundary.f1.per_class
    if evaluation.surface is not None:
        found = evaluation.surface
        columns |= {"hausdorff": found.hausdorff, "hd95": found.hd95, "assd": found.assd}
    if evaluation.ranking is not None:
        columns["ap"] = evaluation.ranking.ap
    rows = [
        [name, *(_cell(values[index]) for values in columns.values())]
        for index, name in enumerate(evaluation.space.names)
    ]
    return ["class", *columns], rows


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
