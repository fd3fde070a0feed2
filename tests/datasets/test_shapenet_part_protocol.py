"""ShapeNet part's official evaluation: by hand, and against its rule in loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from parts import FIRST, rule

from intarsia.datasets import Item
from intarsia.datasets.public.protocol import ProtocolScorer, ProtocolScores
from intarsia.datasets.public.shapenet_part import PROTOCOL, SHAPENET_PART
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix
from intarsia.transforms.clouds.categories import CATEGORIES, PARTS


def score(shapes: list[tuple[str, np.ndarray, np.ndarray]], space: LabelSpace = SHAPENET_PART) -> ProtocolScores:
    scorer = ProtocolScorer(PROTOCOL, space)
    lookup = space.lookup_from(SHAPENET_PART)
    for number, (_, prediction, truth) in enumerate(shapes):
        item = Item(str(number), Path("a"), Path("a"))
        scorer.add(item, lookup[prediction], lookup[truth])
    return scorer.finish(ConfusionMatrix(50), {})


def test_protocol_by_hand() -> None:
    # A chair of two parts, one of which is half found: parts 0, 1, 2, 3 have 2/3, 1/2, 1 (absent from both) and 0.
    chair = ("chair", np.array([12, 12, 12, 13, 15]), np.array([12, 12, 13, 13, 13]))
    chair_iou = (2 / 3 + 1 / 3 + 1 + 0) / 4
    mugs = [("mug", np.full(4, 36), np.full(4, 36)), ("mug", np.array([36, 37]), np.array([37, 36]))]
    found = score([chair, *mugs])
    assert found.values == pytest.approx({"instance mIoU": (chair_iou + 1) / 3, "class mIoU": (chair_iou + 0.5) / 2})
    assert dict(found.tables[0].rows) == {"chair": (pytest.approx(chair_iou),), "mug": (0.5,)}


@pytest.mark.parametrize("seed", range(5))
def test_protocol_is_the_rule_in_any_order_of_classes(seed: int) -> None:
    random = np.random.default_rng(seed)
    shapes = []
    for _ in range(30):
        name = CATEGORIES[random.integers(4)]
        truth, prediction = FIRST[name] + random.integers(0, random.integers(1, PARTS[name] + 1), (2, 20))
        shapes.append((name, prediction, truth))
    instance, category, means = rule(shapes)
    order = LabelSpace(tuple(random.permutation(SHAPENET_PART.names).tolist()))
    for space in (SHAPENET_PART, order):
        found = score(shapes, space)
        assert found.values == pytest.approx({"instance mIoU": instance, "class mIoU": category})
        assert {name: value for name, (value,) in found.tables[0].rows} == pytest.approx(means)


def test_protocol_leaves_unlabelled_points_out_and_refuses_mixtures() -> None:
    labelled = score([("cap", np.array([6, 7]), np.array([6, 7]))])
    ignored = score([("cap", np.array([6, 7, 6, 255]), np.array([6, 7, 255, 255]))])
    assert labelled.values == ignored.values == {"instance mIoU": 1.0, "class mIoU": 1.0}
    with pytest.raises(DataError, match="its parts are of 2 categories"):
        score([("cap", np.array([6, 7]), np.array([6, 37]))])
    with pytest.raises(UsageError, match="defined for 50 classes"):
        ProtocolScorer(PROTOCOL, LabelSpace(("cap_0", "cap_1")))
