"""The report page and its parts, from made-up numbers."""

from __future__ import annotations

import base64
import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix
from intarsia.reports import curves, pictures
from intarsia.reports.html import Content, page
from intarsia.reports.pictures import Sample

SPACE = LabelSpace(("sky", "road & <kerb>", "car", "tram"))


def made_up_content() -> Content:
    rng = np.random.default_rng(0)
    truth = np.zeros((60, 80), dtype=np.uint8)
    truth[30:] = 1
    truth[40:50, 10:40] = 2
    truth[:, 78:] = 255
    prediction = truth.copy()
    prediction[30:35, :40] = 0
    prediction[truth == 255] = 1
    image = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    matrix = ConfusionMatrix(4)
    matrix.update(prediction, truth)
    epochs = [float(epoch) for epoch in range(1, 31)]
    log = {
        "loss": [(e, 2 * math.exp(-e / 8) + 0.2) for e in epochs],
        "lr": [(e, 0.002 * (1 - e / 31) ** 0.9) for e in epochs],
        "val_miou": [(e, 0.7 * (1 - math.exp(-e / 6))) for e in epochs],
        "val_pixel_accuracy": [(e, 0.9 * (1 - math.exp(-e / 4))) for e in epochs],
    }
    samples = [Sample("a/first", image, truth, prediction, "mIoU 0.61"), Sample("no truth", image, None, prediction)]
    return Content(
        "Report of <street>", [("data", "12 & more")], "name: x\n# <b>", log, SPACE, matrix, samples, samples[:1]
    )


class Links(HTMLParser):
    """Collects everything that a page would load, and whether its tags balance."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag != "polyline":
            raise AssertionError(f"</{tag}> closes {self.open[-1:]}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def test_the_page_is_one_well_formed_file_that_loads_nothing_from_elsewhere() -> None:
    html = page(made_up_content())
    links = Links()
    links.feed(html)
    assert links.open == []
    # first sample 4 pictures, the one without truth 2, the worst one 4
    assert len(links.loads) == 10
    assert all(load.startswith("data:image/") for load in links.loads)
    assert "<script" not in html and "http" not in html


def test_names_and_texts_are_escaped() -> None:
    html = page(made_up_content())
    assert "road &amp; &lt;kerb&gt;" in html and "<kerb>" not in html
    assert "Report of &lt;street&gt;" in html
    assert "# &lt;b&gt;" in html


def test_scores_and_classes_are_those_of_the_matrix() -> None:
    content = made_up_content()
    html = page(content)
    scores = content.matrix.compute()
    assert f"<b>{scores.miou:.3f}</b><span>mean IoU</span>" in html
    assert f"{scores.iou[2]:.3f}" in html
    # the tram occurs nowhere: dashes in its row, and no row of the confusion matrix
    assert html.count("&ndash;") == 4 + 0
    assert "tram taken for" not in html
    # 5 of 30 road rows, over 40 of 78 known columns, less the car's rows, were taken for sky
    share = content.matrix.counts[1, 0] / content.matrix.counts[1].sum()
    assert f'title="road &amp; &lt;kerb&gt; taken for sky: {100 * share:.2f} %"' in html


def test_the_truth_picture_shows_the_classes_colours() -> None:
    labels = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    uri = pictures.labels_uri(labels, SPACE)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    assert pixels.tolist() == [[list(SPACE.palette[0]), list(SPACE.palette[1])], [list(SPACE.palette[2]), [0, 0, 0]]]


def test_the_difference_picture_marks_exactly_the_wrong_elements() -> None:
    image = np.full((2, 2, 3), 90, dtype=np.uint8)
    truth = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    prediction = np.array([[0, 2], [2, 1]], dtype=np.uint8)
    uri = pictures.difference_uri(image, truth, prediction, SPACE)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    assert pixels.tolist() == [[[190, 190, 190], [214, 39, 40]], [[190, 190, 190], [0, 0, 0]]]


def test_large_pictures_shrink_to_report_size() -> None:
    labels = np.zeros((1500, 3000), dtype=np.uint16)
    uri = pictures.labels_uri(labels, LabelSpace(tuple(f"c{i}" for i in range(300))))
    assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (480, 240)
    photo = pictures.photo_uri(np.zeros((1500, 3000, 3), dtype=np.uint8))
    assert Image.open(io.BytesIO(base64.b64decode(photo.partition(",")[2]))).size == (480, 240)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (1.0, 30.0, [0.0, 10.0, 20.0, 30.0]),
        (0.21, 0.74, [0.2, 0.4, 0.6, 0.8]),
        (5.0, 5.0, [4.5, 4.75, 5.0, 5.25, 5.5]),
        (0.0, 0.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (-1e-5, 1e-5, [-1e-5, -5e-6, 0.0, 5e-6, 1e-5]),
    ],
)
def test_ticks_are_round_and_enclose_the_data(low: float, high: float, expected: list[float]) -> None:
    assert curves.ticks(low, high) == pytest.approx(expected, abs=1e-12)


def test_thinning_keeps_the_mean_and_the_end() -> None:
    points = [(float(x), float(x % 2)) for x in range(3000)]
    thinned = curves.thin(points)
    assert len(thinned) == 300
    assert {y for _, y in thinned} == {0.5}
    assert thinned[-1][0] == 2999.0
    assert curves.thin(points[:10]) == points[:10]


def test_a_chart_leaves_out_what_is_not_finite() -> None:
    svg = curves.chart("Loss", {"loss": [(1.0, 1.0), (2.0, math.nan), (3.0, 0.5)], "none": [(1.0, math.inf)]})
    assert svg.count("<polyline") == 1
    match = re.search(r'points="([^"]*)"', svg)
    assert match is not None and len(match[1].split()) == 2
    assert "loss 0.5" in svg and "none" not in svg
    assert curves.chart("Loss", {"loss": []}) == ""


def test_the_log_is_read_by_epoch(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,epoch,loss,val_miou\n10,1,0.5,\n20,2,0.25,0.75\n")
    assert curves.read_log(log) == {"loss": [(1.0, 0.5), (2.0, 0.25)], "val_miou": [(2.0, 0.75)]}


def test_a_broken_log_names_file_line_and_column(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    with pytest.raises(DataError, match=r"cannot read the training log .*log\.csv"):
        curves.read_log(log)
    log.write_text("step,epoch,loss\n10,1,0.5\n20,2,oops\n")
    with pytest.raises(DataError, match=r"log\.csv, line 3, column 'loss': 'oops' is not a number"):
        curves.read_log(log)
    log.write_text("step,epoch,loss\n1,1,0.5,0.4\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not a number"):
        curves.read_log(log)
    log.write_bytes(b"step,epoch,loss\n1,1,\xff\n")
    with pytest.raises(DataError, match="no training log, or a damaged one"):
        curves.read_log(log)
