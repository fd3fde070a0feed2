"""Training on whole objects: with and without categories, through the same door as scenes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import open_dataset
from intarsia.errors import UsageError
from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.clouds.predictor import as_function
from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.recipe import Recipe
from intarsia.training.plan.planning import plan
from intarsia.transforms.clouds.objects import object_probabilities, prepare_object

pytest.importorskip("scipy")
RECIPE = Path(intarsia.__file__).parent / "recipes" / "object-parts.yaml"
QUICK = (
    "model.architecture=randlanet", "model.options={widths: [16, 16], neighbours: 6}",
    "training.epochs=10", "training.batch_size=4", "training.workers=0", "training.precision=fp32",
    "training.samples=1", "training.ema=0.5", "cloud.points=64", "cloud.blocks=16", "cloud.augment.jitter=0",
    "optimizer.lr=0.01",
)  # fmt: skip
SYNSETS = {"cap": ("02954340", 6), "mug": ("03797390", 36)}


def shape(seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An egg in some place, its (rough) normals, and which of its points are in its upper half."""
    xyz = np.random.default_rng(seed).normal(size=(80, 3))
    xyz = xyz / np.linalg.norm(xyz, axis=1, keepdims=True) * (1, 1, 1.5)
    return xyz * scale + seed, xyz, (xyz[:, 2] > 0).astype(int)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Caps and mugs of the very same form; what is the first part of a cap is the second of a mug."""
    root = tmp_path_factory.mktemp("objects")
    trees.text(root / "synsetoffset2category.txt", "Cap\t02954340", "Mug\t03797390")
    for split, seeds in (("train", range(4)), ("val", range(4, 6))):
        entries = []
        for name, (synset, first) in SYNSETS.items():
            for seed in seeds:
                xyz, normals, upper = shape(seed)
                part = first + (upper if name == "cap" else 1 - upper)
                np.savetxt(root / f"{seed}.txt", np.column_stack([xyz, normals, part]), fmt="%.5f")
                (root / synset).mkdir(exist_ok=True)
                (root / f"{seed}.txt").rename(root / synset / f"{seed}.txt")
                entries.append(f"shape_data/{synset}/{seed}")
        trees.text(root / f"train_test_split/shuffled_{split}_file_list.json", json.dumps(entries))
    return root


def test_train_evaluate_segment(objects: Path, tmp_path: Path) -> None:
    run = intarsia.train(objects, tmp_path / "run", recipe=RECIPE, changes=QUICK, progress=False)
    assert run.scores["miou"] > 0.8
    found = intarsia.evaluate(run.best, objects, protocol="shapenet-part")
    assert found.scores.miou == pytest.approx(run.scores["miou"], abs=1e-6)
    assert found.protocol is not None
    assert found.protocol.values["class mIoU"] > 0.8
    bundle = Bundle.load(run.best)
    assert isinstance(bundle.preprocessing, CloudPreprocessing)
    assert (bundle.preprocessing.whole, bundle.preprocessing.optional) == (True, ())
    assert bundle.options["in_channels"] == 22
    assert "64 of a whole object in the unit sphere" in (run.folder / "card.md").read_text()

    # The network itself follows what it is told, also where nothing keeps it from other categories' parts.
    model = CloudPredictor(bundle)
    xyz, normal, upper = shape(9, scale=300)
    normals = dict(zip(("nx", "ny", "nz"), normal.T, strict=True))
    for category, (_, first) in SYNSETS.items():
        labels = model.segment(PointCloud(xyz, normals), category=category).labels
        assert (labels == first + (upper if category == "cap" else 1 - upper)).mean() > 0.8
        index = model.require_category(category)
        said = PointCloud(xyz, normals | {"category": np.full(len(xyz), index)})
        free = replace(prepare_object(said, model.preprocessing), category=None)
        every = object_probabilities(
            free, as_function(model.runtime), points=64, names=model.space.names, batch=4
        ).argmax(axis=1)
        assert np.isin(every, (first, first + 1)).mean() > 0.9


def test_objects_of_one_kind_need_no_category(tmp_path: Path) -> None:
    for split, seeds in (("train", range(3)), ("val", (3,))):
        for seed in seeds:
            xyz, normals, upper = shape(seed, scale=40)
            (tmp_path / "data" / split).mkdir(parents=True, exist_ok=True)
            table = np.column_stack([xyz, normals, 6 + upper])
            np.savetxt(tmp_path / "data" / split / f"{seed}.txt", table, fmt="%.5f")
    trees.text(tmp_path / "data/classes.txt", "6: panel", "7: peak")
    changes = [*QUICK, "training.epochs=3", "cloud.blocks=8"]
    run = intarsia.train(tmp_path / "data", tmp_path / "run", recipe=RECIPE, changes=changes, progress=False)
    bundle = Bundle.load(run.best)
    assert isinstance(bundle.preprocessing, CloudPreprocessing)
    assert bundle.preprocessing.optional == ("category",)
    assert bundle.space.names == ("panel", "peak")
    assert intarsia.evaluate(run.best, tmp_path / "data").scores.miou == pytest.approx(run.scores["miou"], abs=1e-6)
    found = CloudPredictor(bundle).segment(tmp_path / "data/val/3.txt", columns="x y z nx ny nz _")
    assert set(found.labels.tolist()) <= {0, 1}


def test_recipe_is_the_published_net_and_is_chosen_without_being_named(objects: Path, tmp_path: Path) -> None:
    named = plan(objects, tmp_path / "run", recipe=Recipe.load(RECIPE))
    assert named.dataset.layout == "shapenet-part"
    assert named.recipe.model.options == {"task": "part", "in_channels": 22}
    assert named.recipe.cloud.whole
    chosen = plan(objects, tmp_path / "run")
    own = {"data": None, "name": objects.name}
    assert chosen.recipe.to_dict() | own == named.recipe.to_dict() | own
    assert chosen.recipe.name == objects.name
    assert open_dataset(objects).space == chosen.dataset.space


def test_mistakes_are_found_before_anything_is_trained(objects: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"category is about whole objects: set cloud\.whole=true"):
        intarsia.train(objects, tmp_path / "run", recipe=RECIPE, changes=[*QUICK, "cloud.whole=false"], progress=False)
    with pytest.raises(UsageError, match=r"whole objects are not cut into blocks"):
        plan(objects, tmp_path / "run", recipe=Recipe.load(RECIPE), changes=["cloud.block=4"])
    with pytest.raises(UsageError, match="name it last"):
        plan(objects, tmp_path / "run", recipe=Recipe.load(RECIPE), changes=["cloud.features=[category, normals]"])
    forest = Recipe.load(RECIPE).override_text(["model.architecture=point_forest", "model.options={}"])
    with pytest.raises(UsageError, match="point_forest looks at single points"):
        intarsia.train(objects, tmp_path / "run", recipe=forest, progress=False)
