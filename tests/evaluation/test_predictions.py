from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import intarsia
from intarsia.datasets import Item, MaskCoding, PictureSplit, ReadOptions
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, averages
from intarsia.errors import DataError, UsageError
from intarsia.evaluation import Measures, evaluate
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.models import SegmentationModel

MakePredictor = Callable[..., Predictor]


def make_split(folder: Path, names: tuple[str, ...], masks: dict[str, list[int]]) -> PictureSplit:
    """One row of pixels for each mask."""
    items = []
    for name, values in masks.items():
        image, mask = folder / f"{name}.jpg", folder / f"{name}.png"
        Image.fromarray(np.zeros((1, len(values), 3), np.uint8)).save(image)
        Image.fromarray(np.array([values], np.uint8)).save(mask)
        items.append(Item(name, image, mask))
    space = LabelSpace(names)
    coding = MaskCoding(values={**{index: index for index in range(len(names))}, 255: 255})
    return PictureSplit("val", space, tuple(items), folder, coding)


@pytest.fixture
def predictor(make_predictor: MakePredictor, constant: SegmentationModel) -> Predictor:
    return make_predictor(constant, 3)  # always "bright", the second of dark, bright, third


def test_scores_by_class_and_worst_first(predictor: Predictor, tmp_path: Path) -> None:
    split = make_split(
        tmp_path, ("dark", "bright", "third"), {"good": [1, 1, 1, 0], "bad": [0, 0, 1, 255], "void": [255, 255]}
    )
    seen: list[tuple[int, int]] = []
    found = evaluate(predictor, split, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert found.matrix.counts[:, :3].tolist() == [[0, 3, 0], [0, 4, 0], [0, 0, 0]]
    assert found.scores.pixel_accuracy == pytest.approx(4 / 7)
    assert found.scores.iou[:2].tolist() == pytest.approx([0, 4 / 7]) and np.isnan(found.scores.iou[2])
    assert found.scores.miou == pytest.approx(2 / 7)
    assert [row.id for row in found.images] == ["bad", "good", "void"]
    assert [row.miou for row in found.images[:2]] == pytest.approx([1 / 6, 3 / 8])
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["images"][2] == {
        "id": "void",
        "miou": None,
        "pixel_accuracy": None,
        "micro_iou": None,
        "dice": [None] * 3,
    }
    assert plain["images"][1]["dice"] == [0.0, pytest.approx(6 / 7), None]
    assert plain["dice_per_case"] == [0.0, pytest.approx((6 / 7 + 1 / 2) / 2), None]
    assert plain["classes"] == ["dark", "bright", "third"] and plain["unmatched"] == []


def test_classes_are_matched_by_name(predictor: Predictor, tmp_path: Path) -> None:
    split = make_split(tmp_path, ("bright", "sky", "dark"), {"x": [0, 0, 0, 1, 2]})
    found = evaluate(predictor, split)
    assert found.unmatched == ("sky",)
    assert found.matrix.counts[:, :3].tolist() == [[0, 1, 0], [0, 3, 0], [0, 0, 0]]


def test_no_class_in_common(predictor: Predictor, tmp_path: Path) -> None:
    split = make_split(tmp_path, ("class_0", "class_1"), {"x": [0, 1]})
    with pytest.raises(DataError, match=r"share no class: the data has class_0, class_1; the model has dark, bright"):
        evaluate(predictor, split)


def test_empty_split(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the split 'val' has no pictures"):
        evaluate(predictor, make_split(tmp_path, ("dark",), {}))


def test_curves_come_from_the_model_s_own_probabilities(predictor: Predictor, tmp_path: Path) -> None:
    split = make_split(tmp_path, ("dark", "bright", "third"), {"a": [1, 1, 0, 2], "b": [1, 255]})
    found = evaluate(predictor, split, measures=Measures(curves=True))
    assert found.matrix.counts.tolist() == evaluate(predictor, split).matrix.counts.tolist()
    # every pixel has the same probabilities, so each class's AP is its share, and one bin holds the confidence
    assert found.result("ranking").ap.tolist() == pytest.approx([1 / 5, 3 / 5, 1 / 5])
    confidence = 1 / (1 + np.exp(0.25 - 0.75) + np.exp(0.5 - 0.75))
    assert found.result("reliability").ece == pytest.approx(3 / 5 - confidence, abs=1e-6)


def test_probabilities_of_bands_are_those_of_the_whole(
    make_predictor: MakePredictor, local: SegmentationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (45, 70, 3), dtype=np.uint8)
    predictor = make_predictor(local, 5, confidence=True)
    (whole,) = predictor.rows(open_image(image), probabilities=True)
    assert whole.probabilities is not None and whole.probabilities.shape == (5, 45, 70)
    assert np.allclose(whole.probabilities.sum(0), 1, atol=1e-6)
    assert np.array_equal(whole.probabilities.argmax(0), whole.labels)
    assert whole.confidence is not None and np.allclose(whole.probabilities.max(0), whole.confidence, atol=1e-3)
    monkeypatch.setattr("intarsia.runtimes.upsampling.SCORED_PIXELS", 700)
    bands = [band.probabilities for band in predictor.rows(open_image(image), probabilities=True)]
    assert len(bands) == 5
    assert np.array_equal(np.concatenate([band for band in bands if band is not None], axis=1), whole.probabilities)


def test_stored_values_can_be_ignored(predictor: Predictor, tmp_path: Path) -> None:
    """Plain folders whose masks hold a value for void."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(tmp_path / f"images/{number}.png")
        Image.fromarray(np.array([[0, 1, 2, 7]], np.uint8)).save(tmp_path / f"masks/{number}.png")
    (tmp_path / "classes.txt").write_text("dark\nbright\nthird\n")
    with pytest.raises(DataError, match="7"):
        intarsia.evaluate(predictor, tmp_path)
    found = intarsia.evaluate(predictor, tmp_path, options=ReadOptions(ignore=[7]))
    assert found.matrix.counts[:, :3].tolist() == [[0, 2, 0], [0, 2, 0], [0, 2, 0]]


class Seen:
    """What a protocol measures besides: here, which items it was shown, and how much of them was right."""

    def __init__(self, space: LabelSpace, spacing: Sequence[float] | None) -> None:
        self.spacing = spacing
        self.right: dict[str, int] = {}

    def add(self, item: Item, prediction: np.ndarray, target: np.ndarray) -> None:
        self.right[item.id] = int((prediction == target).sum())

    def finish(self) -> Findings:
        return Findings({name: float(right) for name, right in self.right.items()}, notes=(f"{self.spacing}",))


def test_a_protocol_of_a_data_set_of_one_s_own(predictor: Predictor, tmp_path: Path) -> None:
    space = LabelSpace(("bright", "sky"))
    protocol = EvaluationProtocol("own", "all of it", "here", lambda: (space,), averages({"IoU": "miou"}), Seen)
    split = make_split(tmp_path, space.names, {"x": [0, 0, 1, 1], "y": [0]})
    found = evaluate(predictor, split, protocol=protocol, measures=Measures(spacing=(2.0, 1.0)))
    assert found.space == space and found.protocol is not None
    assert found.protocol.values == {"IoU": pytest.approx((3 / 5 + 0) / 2), "x": 2.0, "y": 1.0}
    assert found.protocol.notes == ("(2.0, 1.0)",), "the protocol takes over the spacing"
    assert found.measured == ()
    with pytest.raises(UsageError, match="the protocol own is defined for 2 classes"):
        evaluate(predictor, make_split(tmp_path, ("bright", "dark"), {"x": [0]}), protocol=protocol)


def test_models_of_clouds_measure_no_pictures(predictor: Predictor, tmp_path: Path) -> None:
    clouds = CloudSplit("val", LabelSpace(("dark",)), (Item("a", tmp_path, tmp_path),), tmp_path, {0: 0})
    with pytest.raises(UsageError, match="are clouds, and the model labels none"):
        evaluate(predictor, clouds)
