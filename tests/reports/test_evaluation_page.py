"""The report of an evaluation: its page, its tables, its picture."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.errors import UsageError
from intarsia.evaluation import Evaluation, Measures
from intarsia.evaluation.scoring import Scorer
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix
from intarsia.reports import require_free, write_evaluation
from intarsia.reports.evaluation import evaluation_page
from intarsia.reports.heatmap import confusion_picture
from intarsia.reports.pictures import Sample

SPACE = LabelSpace(("sky", "road & <kerb>", "tram"))


def measured(*, everything: bool) -> tuple[Evaluation, list[Sample]]:
    measures = Measures(boundary=True, spacing=(1.0, 1.0), curves=True) if everything else Measures()
    scorer, samples = Scorer(SPACE, measures), []
    for number, name in enumerate(("a/one", "b/two")):
        truth = np.zeros((20, 30), np.uint8)
        truth[10:] = 1
        truth[:, 28:] = 255
        prediction = np.roll(truth, number + 1, axis=0)
        prediction[prediction == 255] = 0
        scorer.add(name, prediction, truth)
        if everything:
            likely = np.where(np.arange(3)[:, None, None] == prediction, 0.8, 0.1).astype(np.float32)
            scorer.add_part(prediction, truth, likely)
        samples.append(Sample(name, None, truth, prediction, "mIoU 0.9"))
    return scorer.finish("runs/mine", "val", ["boat"]), samples


def test_tables_hold_the_scores(tmp_path: Path) -> None:
    evaluation, samples = measured(everything=True)
    page = write_evaluation(tmp_path / "out", evaluation, samples, facts=[("Note", "a & b")])
    assert page == tmp_path / "out" / "evaluation.html"
    with (page.parent / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(SPACE.names)
    assert float(rows[1]["iou"]) == pytest.approx(evaluation.scores.iou[1], rel=1e-5)
    assert float(rows[0]["boundary_iou"]) == pytest.approx(evaluation.result("boundary").iou.per_class[0], rel=1e-5)
    assert float(rows[0]["hd95"]) == pytest.approx(evaluation.result("surface").hd95[0], rel=1e-5)
    assert float(rows[1]["ap"]) == pytest.approx(evaluation.result("ranking").ap[1], rel=1e-5)
    assert rows[2]["iou"] == rows[2]["ap"] == ""  # the tram occurs nowhere
    with (page.parent / "confusion.csv").open(newline="") as file:
        head, *counts = csv.reader(file)
    assert head == ["truth", *SPACE.names, "no class"]
    assert [[int(n) for n in row[1:]] for row in counts] == evaluation.matrix.counts.tolist()
    with (page.parent / "images.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["b/two", "a/one"]
    assert json.loads((page.parent / "scores.json").read_text()) == json.loads(json.dumps(evaluation.to_json()))
    with Image.open(page.parent / "confusion.png") as picture:
        assert picture.width > 100


def test_the_page_shows_what_was_measured_and_nothing_else() -> None:
    evaluation, samples = measured(everything=True)
    html = evaluation_page(evaluation, samples, facts=[("Note", "a & b")])
    for heading in ("Boundaries", "Surface distances", "Ranking and calibration", "Groups", "Worst pictures"):
        assert f"<h2>{heading}</h2>" in html
    assert "Evaluation of mine" in html and "a &amp; b" in html and "boat" in html
    assert "road &amp; &lt;kerb&gt;" in html and "<kerb>" not in html and "http" not in html
    assert f"<b>{evaluation.image_miou:.3f}</b>" in html
    # pictures of masks alone: truth, prediction and what is wrong
    assert html.count("<img") == 2 * 3
    plain = evaluation_page(measured(everything=False)[0], [])
    for heading in ("Boundaries", "Surface distances", "Ranking and calibration", "Worst pictures"):
        assert f"<h2>{heading}</h2>" not in plain


def test_confusion_picture_is_blue_where_right_and_orange_where_wrong() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1]))
    picture = np.asarray(confusion_picture(SPACE, matrix))
    colors = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    assert (0, 114, 178) in colors  # all of the second class's truth
    assert (64, 149, 197) in colors and (244, 215, 191) in colors  # three and one quarter
    # two rows: the tram occurs nowhere
    assert picture.shape[1] - picture.shape[0] == 40 + 8 - (3 * 8 + 13)


def test_an_earlier_report_is_not_replaced_unasked(tmp_path: Path) -> None:
    require_free(tmp_path, overwrite=False)
    (tmp_path / "evaluation.html").touch()
    with pytest.raises(UsageError, match=r"evaluation\.html exists; give another folder, or --overwrite"):
        require_free(tmp_path, overwrite=False)
    require_free(tmp_path, overwrite=True)
