from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import Item, MaskCoding, Split
from intarsia.errors import DataError
from intarsia.inference import Predictor, evaluate
from intarsia.labels import LabelSpace
from intarsia.models import SegmentationModel

MakePredictor = Callable[..., Predictor]


def make_split(folder: Path, names: tuple[str, ...], masks: dict[str, list[int]]) -> Split:
    """One row of pixels for each mask."""
    items = []
    for name, values in masks.items():
        image, mask = folder / f"{name}.jpg", folder / f"{name}.png"
        Image.fromarray(np.zeros((1, len(values), 3), np.uint8)).save(image)
        Image.fromarray(np.array([values], np.uint8)).save(mask)
        items.append(Item(name, image, mask))
    space = LabelSpace(names)
    coding = MaskCoding(values={**{index: index for index in range(len(names))}, 255: 255})
    return Split("val", space, coding, tuple(items), folder)


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
    assert plain["images"][2] == {"id": "void", "miou": None, "pixel_accuracy": None}
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
