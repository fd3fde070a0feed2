"""Models of parts: what the object is has to be said once, and the protocol's scores are those of the rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trees

import intarsia
from intarsia.bundle import Bundle, CloudPreprocessing
from intarsia.cli.main import main
from intarsia.datasets import Item, open_dataset
from intarsia.datasets.public.shapenet_part import SHAPENET_PART
from intarsia.errors import DataError, UsageError
from intarsia.evaluation.protocols import ProtocolScorer, ProtocolScores
from intarsia.inference.clouds import CloudPredictor, predictor
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, read_cloud
from intarsia.metrics import ConfusionMatrix
from intarsia.models import build
from intarsia.transforms.clouds.categories import CATEGORIES, PARTS, part_names

pytest.importorskip("scipy")
FIRST = {name: SHAPENET_PART.index(part_names(name)[0]) for name in CATEGORIES}


def bundle(
    features: tuple[str, ...] = ("category",), space: LabelSpace = SHAPENET_PART, optional: tuple[str, ...] = (),
    architecture: str = "pointnet", whole: bool = True,
) -> Bundle:  # fmt: skip
    torch.manual_seed(0)
    options = {"task": "part", "in_channels": 3 + sum({"normals": 3, "category": 16}[name] for name in features)}
    model = build(architecture, classes=len(space), **options)
    torch.nn.init.normal_(model.out.weight)  # type: ignore[union-attr, arg-type]
    settings = CloudPreprocessing(features=features, optional=optional, block=2.0, points=64, whole=whole, neighbours=6)
    return Bundle(architecture, options, space, settings, model.state_dict())


def cloud(count: int = 100, **fields: np.ndarray) -> PointCloud:
    return PointCloud(np.random.default_rng(0).normal(size=(count, 3)), fields, source="made")


@pytest.mark.parametrize(("architecture", "features"), [("pointnet", ("category",)), ("acnn", ("normals", "category"))])
def test_only_parts_of_the_named_category(architecture: str, features: tuple[str, ...]) -> None:
    model = CloudPredictor(bundle(features, architecture=architecture))
    for name in ("chair", "cap"):
        found = model.segment(cloud(), category=name)
        assert found.labels.shape == (100,)
        assert set(found.labels.tolist()) <= set(range(FIRST[name], FIRST[name] + PARTS[name]))
        assert found.confidence.min() >= 1 / PARTS[name] - 1e-3
        said = cloud(category=np.full(100, CATEGORIES.index(name)))
        assert np.array_equal(model.segment(said).labels, found.labels)
    # A name that is given counts more than a field.
    assert np.array_equal(model.segment(said, category="chair").labels, model.segment(cloud(), category="chair").labels)


def test_unit_of_the_file_does_not_matter() -> None:
    model, given = CloudPredictor(bundle()), cloud()
    far = PointCloud(given.xyz * 250 + (7e5, 6e6, 100))
    assert np.array_equal(model.segment(given, category="mug").labels, model.segment(far, category="mug").labels)


def test_points_without_coordinates_get_no_class() -> None:
    given = cloud()
    given.xyz[7] = np.nan
    found = CloudPredictor(bundle()).segment(given, category="mug")
    assert found.labels[7] == SHAPENET_PART.ignore_index
    assert (np.delete(found.labels, 7) < 50).all()
    one = CloudPredictor(bundle()).segment(PointCloud(np.zeros((1, 3))), category="mug")
    assert one.labels[0] in (36, 37)


def test_category_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CloudPredictor(bundle())
    with pytest.raises(UsageError, match=r"--category NAME.*one of: airplane, bag, cap, .*, table"):
        model.segment(cloud())
    with pytest.raises(UsageError, match="Did you mean 'airplane'"):
        model.segment(cloud(), category="airplan")
    with pytest.raises(DataError, match="several categories"):
        model.segment(cloud(category=np.arange(100) % 2))
    with pytest.raises(UsageError, match="know them in one pose"):
        CloudPredictor(bundle(), tta=True)
    monkeypatch.setattr(predictor, "WHOLE_POINTS", 50)
    with pytest.raises(DataError, match="made: 100 points; the model sees objects whole, up to 50 points"):
        model.segment(cloud(), category="cap")


def test_category_means_nothing_to_other_models() -> None:
    own = CloudPredictor(bundle(space=LabelSpace(("panel", "peak")), optional=("category",)))
    found = own.segment(cloud())
    assert set(found.labels.tolist()) <= {0, 1}
    assert not found.without
    with pytest.raises(UsageError, match="knows no categories of objects; leave --category out"):
        own.segment(cloud(), category="cap")
    # Trained without the category as an input, the names of the parts still say which are possible.
    torch.manual_seed(0)
    model = build("pointnet", classes=50)
    settings = CloudPreprocessing(features=(), block=2.0, points=64, whole=True)
    plain = CloudPredictor(Bundle("pointnet", {}, SHAPENET_PART, settings, model.state_dict()))
    assert set(plain.segment(cloud(), category="cap").labels.tolist()) <= {6, 7}
    assert plain.segment(cloud()).labels.max() < 50


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle(("normals", "category"), architecture="acnn").save(tmp_path / "m.safetensors")
    normals = np.tile((0, 0, 1), (100, 1))
    np.savetxt(tmp_path / "chair.txt", np.column_stack([cloud().xyz, normals]), fmt="%.6f")
    command = [
        "segment", str(tmp_path / "chair.txt"), "--columns", "x y z nx ny nz", "-m", str(tmp_path / "m.safetensors"),
        "-o", str(tmp_path / "out.ply"), "--json",
    ]  # fmt: skip
    assert main(command) == 2
    assert "--category NAME" in capsys.readouterr().err
    assert main([*command, "--category", "chairs"]) == 2
    assert "Did you mean 'chair'" in capsys.readouterr().err
    assert main([*command, "--category", "chair"]) == 0
    record = json.loads(capsys.readouterr().out)["records"][0]
    assert set(record["shares"]) <= set(part_names("chair"))
    label = read_cloud(tmp_path / "out.ply").label
    assert label is not None
    assert set(label.tolist()) <= {12, 13, 14, 15}
    assert main(["segment", "photo.jpg", "-m", "street", "--category", "chair"]) == 2
    assert "name a model of clouds" in capsys.readouterr().err


def rule(shapes: list[tuple[str, np.ndarray, np.ndarray]]) -> tuple[float, float, dict[str, float]]:
    """The published rule in loops: category, prediction and truth of each shape to instance and class mIoU."""
    by_category: dict[str, list[float]] = {}
    for name, prediction, truth in shapes:
        ious = []
        for part in range(FIRST[name], FIRST[name] + PARTS[name]):
            both = sum(1 for p, t in zip(prediction, truth, strict=True) if p == part and t == part)
            either = sum(1 for p, t in zip(prediction, truth, strict=True) if p == part or t == part)
            ious.append(1.0 if either == 0 else both / either)
        by_category.setdefault(name, []).append(sum(ious) / len(ious))
    every = [iou for ious in by_category.values() for iou in ious]
    means = {name: sum(ious) / len(ious) for name, ious in by_category.items()}
    return sum(every) / len(every), sum(means.values()) / len(means), means


def score(shapes: list[tuple[str, np.ndarray, np.ndarray]], space: LabelSpace = SHAPENET_PART) -> ProtocolScores:
    scorer = ProtocolScorer("shapenet-part", space)
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
        ProtocolScorer("shapenet-part", LabelSpace(("cap_0", "cap_1")))


@pytest.mark.parametrize("tree", [trees.shapenet_part, trees.shapenet_part_hdf5])
def test_evaluation_follows_the_rule(tree, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = tree(tmp_path)
    model = CloudPredictor(bundle())
    split = open_dataset(root).split("train")
    shapes = []
    for index, item in enumerate(split.items):
        given, truth = split.read(index)
        name = item.id.split("/")[0]
        found = model.segment(PointCloud(given.xyz), category=name).labels
        shapes.append((name, found, truth))
    instance, category, _ = rule(shapes)
    found = intarsia.evaluate(model, root, split="train", protocol="shapenet-part")
    assert found.protocol is not None
    assert found.protocol.values == pytest.approx({"instance mIoU": instance, "class mIoU": category})
    plain = intarsia.evaluate(model, root, split="train")
    assert np.array_equal(plain.matrix.counts, found.matrix.counts)
    assert set(plain.groups) == {"cap", "mug"}
