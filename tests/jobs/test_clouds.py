"""Many clouds into one folder: names, continuing, and what cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs_made import files, job

import intarsia
from intarsia.bundle import Bundle
from intarsia.errors import DataError, UsageError
from intarsia.inference.clouds import CloudPredictor
from intarsia.jobs import plan
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, laswriting, open_cloud, write_labels
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing

pytest.importorskip("scipy")
pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building"))


def predictor(seed: int = 0) -> CloudPredictor:
    torch.manual_seed(seed)
    model = build("pointnet_scene", classes=2, in_channels=3)
    settings = CloudPreprocessing(features=(), block=8.0, points=64)
    return CloudPredictor(Bundle("pointnet_scene", {"in_channels": 3}, SPACE, settings, model.state_dict()))


def put(path: Path, points: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = PointCloud(np.random.default_rng(0).uniform(0, 8, (points, 3)))
    write_labels(open_cloud(given), path, np.zeros(points, np.uint8), SPACE)
    return path


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for name in ("a.laz", "east/a.laz", "west/b.ply"):
        put(tmp_path / "scans" / name)
    return tmp_path / "scans"


LABELS = ["a.labels.laz", "east/a.labels.laz", "manifest.jsonl", "west/b.labels.ply"]


def test_clouds_of_a_folder_keep_their_place_in_it(scans: Path, tmp_path: Path) -> None:
    """Two of them have the same name."""

    def targets(source: str) -> list[str]:
        return [task.outputs["labels"] for task in plan(source, tmp_path / "out").tasks]

    assert targets(str(scans)) == ["a.labels.laz", "east/a.labels.laz", "west/b.labels.ply"]
    assert targets(f"{scans}/*/*.laz") == ["east/a.labels.laz"]
    assert targets(f"{scans}/**/*.laz") == ["a.labels.laz", "east/a.labels.laz"]
    with pytest.raises(UsageError, match=r"a\.laz and .*east/a\.laz would both be written to a\.laz\.labels\.laz"):
        plan([scans / "a.laz", scans / "east/a.laz"], tmp_path / "out")
    with pytest.raises(UsageError, match="lies in the input"):
        plan(scans, scans / "out")
    with pytest.raises(DataError, match="no picture matches"):
        plan(f"{scans}/*.e57", tmp_path / "out")


def test_calling_again_continues(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    first = job(model, [f"{scans}/*.laz"], out)
    assert (len(first.records), first.skipped) == (1, [])
    second = job(model, scans, out)
    assert [Path(record["source"]).name for record in second.records] == ["a.laz", "b.ply"]
    assert second.skipped == [str(scans / "a.laz")]
    assert files(out) == LABELS
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [(line["outputs"]["labels"], line["status"], line["size"], line["medium"]) for line in lines] == [
        (name, "done", [100], "cloud") for name in LABELS if name != "manifest.jsonl"
    ]
    assert len(job(model, scans, out, overwrite=True).records) == 3


def test_only_what_is_the_same_is_skipped(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    job(model, scans / "a.laz", out)
    with pytest.raises(UsageError, match=r"a\.labels\.laz exists already, made with the model; overwrite"):
        job(predictor(1), scans / "a.laz", out)
    with pytest.raises(UsageError, match=r"a\.labels\.laz exists already, with other outputs"):
        job(model, scans / "a.laz", out, outputs=("labels", "top"))
    put(scans / "a.laz", 50)
    with pytest.raises(UsageError, match=r"a\.labels\.laz exists already, of a changed source"):
        job(model, scans / "a.laz", out)
    (out / "a.labels.laz").unlink()
    assert job(model, scans / "a.laz", out).records[0]["size"] == [50]
    job(model, scans / "a.laz", tmp_path / "one.laz")
    with pytest.raises(UsageError, match=r"one\.laz exists already; overwrite"):
        job(model, scans / "a.laz", tmp_path / "one.laz")


def test_views_and_a_page(scans: Path, tmp_path: Path) -> None:
    result = job(predictor(), scans / "a.laz", tmp_path / "out", outputs=("labels", "top", "side", "page"))
    assert files(tmp_path / "out") == ["a.html", "a.labels.laz", "a.side.png", "a.top.png", "manifest.jsonl"]
    assert result.records[0]["areas"].keys() <= {"ground", "building"}


def test_an_interrupted_job_leaves_no_part_of_a_cloud(scans: Path, tmp_path: Path) -> None:
    """Interrupted while the second cloud is in work."""
    out, model, begun = tmp_path / "out", predictor(), set()

    def interrupt(task: object, done: int, total: int | None) -> None:
        begun.add(task.id)  # type: ignore[attr-defined]
        if len(begun) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(model, scans, out, tell=interrupt)
    assert files(out) == ["a.labels.laz", "manifest.jsonl"]
    assert len(job(model, scans, out).records) == 2
    assert files(out) == LABELS


def test_failures_are_in_the_manifest_and_tried_again(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    good = (scans / "a.laz").read_bytes()
    (scans / "a.laz").write_bytes(b"LASF nothing")
    found = job(model, scans, out)
    assert list(found.failures) == [str(scans / "a.laz")] and found.exit_code == 1
    assert json.loads((out / "manifest.jsonl").read_text().splitlines()[0])["status"] == "error"
    (scans / "a.laz").write_bytes(good)
    again = job(model, scans, out)
    assert (len(again.records), len(again.skipped), again.failures) == (1, 2, {})


def test_python_takes_folders_patterns_and_lists(scans: Path) -> None:
    model = predictor()
    found = model.segment(scans)
    assert [Path(one.source).name for one in found] == ["a.laz", "a.laz", "b.ply"]
    assert len(list(model.segment(f"{scans}/*/*.laz"))) == 1
    assert len(list(model.segment([scans / "a.laz", scans / "west"]))) == 2
    with pytest.raises(DataError, match=r"no point clouds in .*it needs files ending in"):
        model.segment(scans.parent / "empty" if (scans.parent / "empty").mkdir() is None else "")
    with pytest.raises(DataError, match=r"photo\.jpg: this model is for point clouds"):
        (scans / "photo.jpg").write_bytes(b"")
        model.segment(scans / "photo.jpg")


def test_columns_are_those_of_plain_tables(scans: Path) -> None:
    with pytest.raises(UsageError, match=r"columns name those of plain tables .* and not of .*a\.laz"):
        predictor().segment(scans / "a.laz", columns="x y z")


def test_kmeans_is_for_pictures(scans: Path) -> None:
    with pytest.raises(DataError, match=r"a\.laz: this model is for pictures"):
        intarsia.segment(scans / "a.laz", "kmeans")


def test_a_disk_that_the_compressor_finds_full(tmp_path: Path) -> None:
    class LazrsError(Exception):
        """As the compressor's own."""

    told = r"cannot write .*a\.laz .* the disk may be full"
    with pytest.raises(DataError, match=told), laswriting._writing(tmp_path / "a.laz") as file:
        file.write_bytes(b"half")
        raise LazrsError("IoError: Failed to call seek")
    assert files(tmp_path) == []
