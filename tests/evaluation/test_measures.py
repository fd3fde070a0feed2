"""Measures: one more is a record and a class, seen everywhere; and data that cannot be measured so are refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from intarsia.cli.scores import show
from intarsia.errors import UsageError
from intarsia.evaluation import Evaluation, Measures, score_masks
from intarsia.evaluation.measures import Measure, Option, options
from intarsia.evaluation.measures.contract import Column, Measured, Plot, refuse_unmeasurable
from intarsia.evaluation.predictions import KINDS
from intarsia.evaluation.scoring import Scorer
from intarsia.labels import LabelSpace
from intarsia.reports import write_evaluation

SPACE = LabelSpace(("sky", "road"))


class Width:
    """Counts columns: a measure in a few lines."""

    def __init__(self, space: LabelSpace) -> None:
        self.found: list[int] = []

    def add(self, prediction: np.ndarray, target: np.ndarray, **more: Any) -> None:
        self.found.append(target.shape[-1])

    def finish(self) -> Measured:
        return Measured(
            title="Widths",
            results={"width": self},
            means={"mean width": float(np.mean(self.found))},
            columns=(Column("Columns of it", np.array([3, 4]), "columns", "Col"), Column("Elsewhere", np.ones(2))),
            plots=(Plot("Width by number", "number", {"width": list(enumerate(map(float, self.found)))}),),
            notes=("Widths are no <scores>.",),
        )

    def to_json(self) -> dict[str, Any]:
        return {"columns": self.found}


@dataclass(frozen=True)
class More(Measures):
    """The table with one more line."""

    width: bool = field(default=False, metadata={"option": Option("Also measure widths.", lambda on: Measure(Width))})


def measured(measures: Measures) -> Evaluation:
    scorer = Scorer(SPACE, measures)
    for name, columns in (("one", 3), ("two", 5)):
        truth = np.zeros((4, columns), np.uint8)
        truth[2:] = 1
        scorer.add(name, np.roll(truth, 1, axis=0), truth)
    return scorer.finish("mine", "val")


def test_one_more_measure_is_seen_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(More(boundary=True, width=True))
    assert [one.title for one in found.measured] == ["Boundaries", "Widths"]
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["width"] == {"columns": [3, 5]} and plain["boundary"]["iou"]["mean"] is not None
    assert found.result("width").found == [3, 5]
    html = write_evaluation(tmp_path, found, []).read_text()
    assert "<h2>Widths</h2>" in html and "<b>4.000</b><span>mean width</span>" in html
    assert "<th>Columns of it</th>" in html and "<td>3</td>" in html and "<td>1.000</td>" in html
    assert "Width by number" in html and "Widths are no &lt;scores&gt;." in html
    assert (tmp_path / "classes.csv").read_text().splitlines()[0].endswith(",boundary_iou,boundary_f1,columns")
    show(found)
    shown = capsys.readouterr().out
    assert "Col" in shown and "Elsewhere" not in shown
    assert "mean width 4.0000" in shown and "Widths are no <scores>." in shown


def test_what_was_not_measured_is_told_by_name() -> None:
    found = measured(Measures(spacing=(1.0, 1.0)))
    assert found.result("surface").hausdorff.tolist() == [1.0, 2.0]
    with pytest.raises(UsageError, match=r"'surfaces' was not measured; see Measures\. Did you mean 'surface'"):
        found.result("surfaces")


def test_flags_follow_from_the_table() -> None:
    assert list(options()) == ["boundary", "spacing", "segments", "curves"]
    assert list(options(More)) == ["boundary", "spacing", "segments", "curves", "width"]
    read = options()["spacing"].read
    assert read is not None and (read("0.5"), read("3,1,1"), read("file")) == ((0.5, 0.5), (3.0, 1.0, 1.0), "file")
    with pytest.raises(UsageError, match="--spacing is one number, or two with a comma between"):
        read("1,2,3,4")
    assert list(Measures()) == []
    assert [one.by_part for one in Measures(boundary=True, spacing="file", curves=True)] == [False, False, True]


REFUSED = [
    ("cloud", Measures(boundary=True), "boundaries are measured on pictures, not on points"),
    ("cloud", Measures(segments=True), "segments are connected elements of pictures and volumes, not points"),
    ("cloud", Measures(spacing=(1, 1)), "surface distances are measured on pictures and volumes, not on points"),
    ("cloud", Measures(spacing="file"), "surface distances are measured on pictures and volumes, not on points"),
    (
        "cloud",
        Measures(curves=True),
        "curves are measured on pictures, with a model's probabilities, and not on points",
    ),
    ("volume", Measures(boundary=True), r"boundary scores are of pictures; .*--spacing file"),
    ("picture", Measures(spacing="file"), "only volumes say how far apart their voxels are; give the spacing in numb"),
    ("raster", Measures(spacing="file"), "only volumes say how far apart their voxels are; give the spacing in numb"),
]


@pytest.mark.parametrize(("medium", "measures", "said"), REFUSED)
def test_what_a_medium_cannot_be_measured_by(medium: Any, measures: Measures, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        refuse_unmeasurable(measures, KINDS[medium].offers)


MEASURED = [
    ("picture", Measures(True, (1, 1), True)),
    ("raster", Measures(True, (1, 1), True)),
    ("volume", Measures(False, "file", True)),
    ("volume", Measures(False, (1, 1, 1), True)),
    ("cloud", Measures()),
]


@pytest.mark.parametrize(("medium", "measures"), MEASURED)
def test_what_a_medium_can_be_measured_by(medium: Any, measures: Measures) -> None:
    refuse_unmeasurable(measures, KINDS[medium].offers)


def test_masks_have_no_probabilities_and_no_spacing(tmp_path: Path) -> None:
    for folder in ("pred", "truth"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / folder / "a.png")
    with pytest.raises(UsageError, match="not on points or masks"):
        score_masks(tmp_path / "pred", tmp_path / "truth", measures=Measures(curves=True))
    with pytest.raises(UsageError, match="only volumes say how far apart"):
        score_masks(tmp_path / "pred", tmp_path / "truth", measures=Measures(spacing="file"))
