"""Models of parts: what the object is has to be said once, and the protocol's scores are those of the rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from parts import FIRST, rule

import intarsia
from intarsia.bundle import Bundle
from intarsia.cli.main import main
from intarsia.datasets import open_dataset
from intarsia.datasets.public.shapenet_part import SHAPENET_PART
from intarsia.errors import DataError, UsageError
from intarsia.inference.clouds import CloudPredictor, predictor
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, read_cloud
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.categories import CATEGORIES, PARTS, part_names

pytest.importorskip("scipy")


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
    assert set(record["areas"]) <= set(part_names("chair"))
    label = read_cloud(tmp_path / "out.ply").label
    assert label is not None
    assert set(label.tolist()) <= {12, 13, 14, 15}
    assert main(["segment", "photo.jpg", "-m", "street", "--category", "chair"]) == 2
    assert "--category is for point clouds, not for pictures" in capsys.readouterr().err


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
