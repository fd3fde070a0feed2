"""The report of an evaluation: a page, the tables as CSV, everything as JSON, the confusion matrix as a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.errors import UsageError, counted
from intarsia.evaluation import Evaluation
from intarsia.evaluation.measures.contract import Measured
from intarsia.files import make_folder, require_place, write_json, write_text
from intarsia.labels import LabelSpace
from intarsia.media.images import write_image
from intarsia.reports import html
from intarsia.reports.curves import INK, chart
from intarsia.reports.heatmap import confusion_picture
from intarsia.reports.pictures import Sample

PAGE = "evaluation.html"


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds an evaluation already or cannot be made, before anything is measured.

    Raises:
        UsageError: it does.
        DataError: it cannot be made.
    """
    if (folder / PAGE).exists() and not overwrite:
        raise UsageError(f"{folder / PAGE} exists; give another folder, or --overwrite")
    require_place(folder)


def write_evaluation(
    folder: Path, evaluation: Evaluation, worst: Sequence[Sample], *, facts: Sequence[tuple[str, str]] = ()
) -> Path:
    """Write `evaluation.html`, `scores.json`, `classes.csv`, `images.csv`, `confusion.csv` and `confusion.png`.

    Args:
        folder: where to; made if need be.
        evaluation: the scores.
        worst: the pictures with the lowest scores, see `worst_samples` and `worst_masks`.
        facts: (name, value) pairs for the top of the page.

    Returns:
        The page's path.

    Raises:
        DataError: a file cannot be written.
    """
    make_folder(folder)
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
            *((one.title, _measured(one, space)) for one in evaluation.measured),
            ("Confusion", html.confusion(space, evaluation.matrix)),
            ("Groups", _groups(evaluation)),
            (f"Worst {evaluation.medium}s", html.gallery(worst, space)),
        ],
    )


def _measured(found: Measured, space: LabelSpace) -> str:
    """One measure's section: its headline numbers, its scores by class, its curves, and what has to be said."""
    colors = [html.css(color) for color in space.palette]
    notes = "".join(f'<p class="dim">{escape(note)}</p>' for note in found.notes)
    rows = [
        (name, *(_shown(column.values[index]) for column in found.columns)) for index, name in enumerate(space.names)
    ]
    table = html.table(("Class", *(column.heading for column in found.columns)), rows, colors) if found.columns else ""
    plots = "".join(
        chart(
            one.title,
            {name: list(points) for name, points in one.curves.items()},
            x_label=one.x_label,
            colors=colors if one.by_class else INK,
            last=one.last,
        )
        for one in found.plots
    )
    charts = f'<div class="charts">{plots}</div>' if plots else ""
    return html.tiles(found.means.items()) + notes + table + charts


def _groups(evaluation: Evaluation) -> str:
    rows = []
    for name, matrix in evaluation.groups.items():
        scores = matrix.compute()
        values = (scores.miou, scores.pixel_accuracy, scores.mean_accuracy, scores.mean_f1)
        rows.append((name or "(no folder)", *map(_shown, values)))
    head = ("Folder", "Mean IoU", "Pixel accuracy", "Mean accuracy", "Mean F1")
    return html.table(head, rows) if rows else ""


def _class_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    scores = evaluation.scores
    columns = {
        "iou": scores.iou,
        "f1": scores.f1,
        "recall": scores.accuracy,
        "precision": scores.precision,
        "share": scores.frequency,
    }
    for one in evaluation.measured:
        columns |= {column.key: column.values for column in one.columns if column.key}
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


def _shown(value: Any) -> str:
    if isinstance(value, np.integer):
        return str(value)
    return "–" if math.isnan(value) else f"{value:.3f}"
