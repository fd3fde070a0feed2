"""Whole clouds: every point labelled in its order, whatever the size, and clear words when it cannot be done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from jobs_made import files, job

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.public.s3dis import AREAS, PROTOCOL, S3DIS
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.evaluation import evaluate
from intarsia.inference.clouds import CloudPredictor, predictor
from intarsia.jobs import plan
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing
from intarsia.result.cloud import CloudSegmentation
from intarsia.transforms.clouds.features import channels

pytest.importorskip("scipy")
pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building", "tree"))


def bundle(
    features: tuple[str, ...] = ("height", "intensity"),
    voxel: float = 0.0,
    block: float = 8.0,
    points: int = 64,
    optional: tuple[str, ...] = (),
) -> Bundle:
    torch.manual_seed(0)
    options = {"in_channels": channels(features)}
    model = build("pointnet_scene", classes=3, **options)
    torch.nn.init.normal_(model.out.weight)  # type: ignore[union-attr, arg-type]
    settings = CloudPreprocessing(features=features, optional=optional, block=block, points=points, voxel=voxel)
    return Bundle("pointnet_scene", options, SPACE, settings, model.state_dict())


def cloud(count: int = 3000, size: float = 40.0, seed: int = 0) -> PointCloud:
    random = np.random.default_rng(seed)
    xyz = random.uniform(0, (size, size, 6), (count, 3)) + np.array([770_000, 6_270_000, 100])
    label = (xyz[:, 2] > 103).astype(np.int64)
    return PointCloud(xyz, {"intensity": random.integers(0, 65535, count).astype(np.uint16)}, label, source="made")


@pytest.mark.parametrize("voxel", [0.0, 1.0])
def test_every_point_gets_a_class_in_input_order(voxel: float) -> None:
    given = cloud()
    model = CloudPredictor(bundle(voxel=voxel))
    found = model.segment(given)
    assert found.labels.shape == (3000,)
    assert found.labels.max() < 3
    assert len(np.unique(found.labels)) > 1
    assert (found.confidence >= 1 / 3 - 1e-3).all()
    assert sum(found.areas().values()) == pytest.approx(1)
    assert found["building"].sum() == (found.labels == 1).sum()
    assert np.array_equal(model.segment(given).labels, found.labels)


@pytest.mark.parametrize("voxel", [0.0, 1.0])
def test_tiles_give_what_the_whole_cloud_gives(voxel: float, monkeypatch: pytest.MonkeyPatch) -> None:
    given = cloud(3000, 144.0)
    model = CloudPredictor(bundle(voxel=voxel, block=16.0, points=32))
    whole = model.segment(given)
    monkeypatch.setattr(predictor, "WHOLE_POINTS", 1000)
    monkeypatch.setattr(predictor, "_TILE_POINTS", 500)
    tiled = model.segment(given)
    assert (tiled.labels == whole.labels).mean() > 0.999
    assert np.abs(tiled.confidence.astype(float) - whole.confidence).max() < 0.02


def test_order_of_the_file_is_kept_by_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "WHOLE_POINTS", 1000)
    given = cloud(6000, 160.0)
    given.xyz[17] = np.nan

    class High:
        name, precision, processor, in_channels, stride, align_corners, margin = "high", "", "", 4, 1, False, 0

        def logits(self, x: np.ndarray, place: object = None) -> np.ndarray:
            high = x[:, 3] > 3
            return np.stack([~high, high, np.zeros_like(high)], axis=1).astype(np.float32)

    model = CloudPredictor(bundle(("height",)), runtime=High())
    found = model.segment(given)
    assert found.labels[17] == SPACE.ignore_index
    assert (np.delete(found.labels, 17) < 3).all()
    high = np.delete(given.xyz[:, 2], 17) > 105.5
    assert (np.delete(found.labels, 17)[high] == 1).mean() > 0.95


@pytest.mark.parametrize(
    "xyz",
    [np.zeros((1, 3)), np.ones((40, 3)), np.array([[0, 0, 0], [1, np.inf, 0], [2, 2, 2.0]])],
    ids=["one point", "all equal", "infinite"],
)
def test_clouds_that_break_things(xyz: np.ndarray) -> None:
    found = CloudPredictor(bundle(("height",))).segment(PointCloud(xyz))
    finite = np.isfinite(xyz).all(axis=1)
    assert (found.labels[finite] < 3).all()
    assert (found.labels[~finite] == SPACE.ignore_index).all()


def test_no_points_and_no_coordinates() -> None:
    model = CloudPredictor(bundle(("height",)))
    with pytest.raises(DataError, match="no points"):
        model.segment(PointCloud(np.zeros((0, 3))))
    with pytest.raises(DataError, match="no point has finite"):
        model.segment(PointCloud(np.full((3, 3), np.nan)))


def test_missing_features_are_named() -> None:
    with pytest.raises(DataError, match=r"intensity \(needs intensity\).*--columns"):
        CloudPredictor(bundle()).segment(PointCloud(np.zeros((5, 3))))


def test_turned_views_are_averaged() -> None:
    given = cloud(500, 10)
    plain, turned = CloudPredictor(bundle()), CloudPredictor(bundle(), tta=True)
    one = PointCloud(given.xyz - given.xyz.mean(axis=0), given.fields)
    assert not np.allclose(plain.probabilities(one), turned.probabilities(one), atol=1e-4)
    assert np.allclose(turned.probabilities(one).sum(axis=1), 1, atol=1e-5)
    assert plain.identity() != turned.identity()


def test_load_and_segment_through_the_front_door(tmp_path: Path) -> None:
    bundle().save(tmp_path / "m.safetensors")
    source = tmp_path / "scan.laz"
    given = cloud()
    write_labels(open_cloud(given), source, np.zeros(3000, np.uint8), SPACE)
    found = intarsia.segment(source, tmp_path / "m.safetensors")
    assert isinstance(found, CloudSegmentation)
    found.save(tmp_path / "out.laz")
    back = read_cloud(tmp_path / "out.laz")
    assert back.label is not None
    assert back.label.tolist() == np.array([2, 6, 64])[found.labels].tolist()
    drawn = found.render("top", size=200)
    assert drawn.width in (199, 200) and 220 < drawn.height < 320, "a legend below"
    found.viewer(tmp_path / "view.html", truth=np.zeros(3000, np.uint8))
    page = (tmp_path / "view.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert '"truth"' in page
    with pytest.raises(UsageError, match=r"long_side is for pictures and .* videos, not for point"):
        intarsia.load(tmp_path / "m.safetensors", long_side=100)
    with pytest.raises(UsageError, match=r"suffix says the format. Did you mean '.laz'"):
        found.save(tmp_path / "out.lazz")


def test_pictures_of_a_large_cloud_show_a_sample() -> None:
    given = cloud()
    one = open_cloud(PointCloud(given.xyz, given.fields | {"red": np.arange(3000, dtype=np.uint16)}, source="made"))
    some, places = one.some(100, ("red",))
    assert len(some) == len(np.unique(places)) == 100
    assert list(some.fields) == ["red"]
    assert np.array_equal(some.fields["red"], places)
    assert np.array_equal(some.xyz, given.xyz[places])
    every, places = one.some(3000, ())
    assert np.array_equal(every.xyz, given.xyz)
    assert np.array_equal(places, np.arange(3000))


def test_page_cannot_be_broken_out_of(tmp_path: Path) -> None:
    model = bundle(("height",))
    model.space = LabelSpace(("</script><script>alert(1)</script>", "b", "c"))
    CloudPredictor(model).segment(PointCloud(np.zeros((5, 3)), source="</title>")).viewer(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert "<script>alert" not in text
    assert text.count("</script>") == 1


def test_evaluation_counts_every_point(tmp_path: Path) -> None:
    for name, seed in (("val/a", 1), ("val/b", 2)):
        given = cloud(1000, 20, seed)
        (tmp_path / "val").mkdir(exist_ok=True)
        write_labels(open_cloud(given), tmp_path / f"{name}.laz", np.asarray(given.label, np.uint8), SPACE)
    split = open_dataset(tmp_path, ReadOptions(classes=("ground", "building"))).split("val")
    model = CloudPredictor(bundle())
    found = evaluate(model, split)
    assert found.matrix.counts.sum() == 2000
    expected = np.zeros((3, 4), dtype=int)
    for index in range(2):
        given, target = split.read(index)
        np.add.at(expected, (target, model.segment(given).labels), 1)
    assert found.matrix.counts.tolist() == expected.tolist()


def test_planned_outputs(tmp_path: Path) -> None:
    named = [task.outputs["labels"] for task in plan(["a/scan.laz", "b.pcd"]).tasks]
    assert named == ["scan.labels.laz", "b.labels.ply"]
    (only,) = plan("scan.laz", tmp_path / "x.ply").tasks
    assert only.outputs == {"labels": "x.ply"}
    with pytest.raises(UsageError, match=r"x\.laz is one file, and there are 2 sources"):
        plan(["a.laz", "b.laz"], tmp_path / "x.laz")
    (tmp_path / "a.laz").write_bytes(b"LASF")
    with pytest.raises(UsageError, match="would be written over it"):
        plan(tmp_path / "a.laz", tmp_path / "a.laz")


def test_one_bad_cloud_does_not_stop_the_others(tmp_path: Path) -> None:
    write_labels(open_cloud(cloud(200, 10)), tmp_path / "good.laz", np.zeros(200, np.uint8), SPACE)
    (tmp_path / "bad.laz").write_bytes(b"LASF nothing")
    kinds, pattern = ("labels", "top", "side", "page"), str(tmp_path / "*.laz")
    result = job(CloudPredictor(bundle()), pattern, tmp_path / "out", outputs=kinds)
    assert [Path(record["source"]).name for record in result.done] == ["good.laz"]
    assert files(tmp_path / "out") == [
        "good.html", "good.labels.laz", "good.side.png", "good.top.png", "manifest.jsonl",
    ]  # fmt: skip
    assert "truncated or damaged" in next(iter(result.failures.values()))


def test_model_of_pictures_is_none_of_points() -> None:
    from intarsia.preprocessing import Preprocessing

    wrong = bundle()
    wrong.preprocessing = Preprocessing()
    with pytest.raises(ModelError, match="no model of point clouds"):
        CloudPredictor(wrong)


@pytest.mark.parametrize("whole", [10**6, 1000])
def test_optional_features_may_be_missing(whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "WHOLE_POINTS", whole)
    given = cloud()
    blank = {name: np.zeros(len(given), np.uint16) for name in ("red", "green", "blue", "infrared")}
    full = PointCloud(given.xyz, given.fields | blank, source="made", color_max=65535.0)
    names = ("height", "color", "ndvi", "intensity")
    model = CloudPredictor(bundle(names, optional=("color", "ndvi")))
    without, everything = model.segment(given), model.segment(full)
    assert without.without == ("color", "ndvi")
    assert everything.without == ()
    assert np.array_equal(without.labels, everything.labels)
    with pytest.raises(DataError, match=r"does not have: color \(needs red, green, blue\). It has"):
        CloudPredictor(bundle(names, optional=("ndvi",))).segment(given)


def test_protocol_of_s3dis(tmp_path: Path) -> None:
    root = trees.s3dis(tmp_path)
    settings = CloudPreprocessing(features=("color",), block=8.0, points=64)
    model = build("pointnet_scene", classes=3, in_channels=6)
    torch.nn.init.zeros_(model.out.weight)  # type: ignore[union-attr, arg-type]
    torch.nn.init.zeros_(model.out.bias)  # type: ignore[union-attr, arg-type]
    names = LabelSpace(("floor", "ceiling", "lamp"))  # always the first; S3DIS has no lamps
    made = CloudPredictor(Bundle("pointnet_scene", {"in_channels": 6}, names, settings, model.state_dict()))
    found = intarsia.evaluate(made, root, protocol="s3dis")
    assert (found.medium, found.split, found.space) == ("cloud", "val", S3DIS)
    assert found.matrix.counts[:, S3DIS.index("floor")].tolist() == [3, 3] + [0] * 10 + [3]
    assert found.protocol is not None
    assert found.protocol.values["overall accuracy"] == pytest.approx(1 / 3)
    folds = [intarsia.evaluate(made, root, options=ReadOptions(layout=f"s3dis-area-{area}")).matrix for area in (1, 2)]
    assert all(len(fold.counts) == 3 for fold in folds), "without a protocol, the model's own classes"
    every = [
        intarsia.evaluate(made, root, options=ReadOptions(layout=f"s3dis-area-{area}"), protocol="s3dis").matrix
        for area in AREAS
    ]
    assert PROTOCOL.pooled(every, S3DIS).values["mean accuracy"] == pytest.approx(1 / 3)
    with pytest.raises(UsageError, match="defined for 19 or 7 classes"):
        intarsia.evaluate(made, root, protocol="cityscapes")
    with pytest.raises(UsageError, match="resize_masks is no option of point clouds"):
        intarsia.evaluate(made, root, options=ReadOptions(resize_masks=True))
    joined = intarsia.evaluate(
        made, root, options=ReadOptions(remap={"map": {"ceiling": "floor", "floor": "floor"}, "rest": "ignore"})
    )
    assert joined.matrix.counts[:3, :3].tolist() == [[6, 0, 0], [0, 0, 0], [0, 0, 0]]
