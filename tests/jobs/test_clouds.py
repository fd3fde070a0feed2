"""Many clouds into one folder: names, continuing, and what cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from intarsia.jobs.clouds import plan_clouds, segment_clouds

from intarsia.bundle import Bundle, CloudPreprocessing
from intarsia.errors import UsageError
from intarsia.inference.clouds import CloudPredictor
from intarsia.jobs import clouds as room
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels
from intarsia.models import build

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


def files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


LABELS = ["a.labels.laz", "east/a.labels.laz", "manifest.jsonl", "west/b.labels.ply"]


def test_clouds_of_a_folder_keep_their_place_in_it(scans: Path, tmp_path: Path) -> None:
    """Two of them have the same name."""
    targets = [task.target.as_posix() for task in plan_clouds([str(scans)], Path("out"))]
    assert targets == ["out/a.labels.laz", "out/east/a.labels.laz", "out/west/b.labels.ply"]
    by_pattern = plan_clouds([f"{scans}/*/*.laz"], Path("out"))
    assert [task.target.as_posix() for task in by_pattern] == ["out/east/a.labels.laz"]
    every = plan_clouds([f"{scans}/**/*.laz"], Path("out"))
    assert [task.target.as_posix() for task in every] == ["out/a.labels.laz", "out/east/a.labels.laz"]
    with pytest.raises(UsageError, match=r"a\.laz and .*east/a\.laz would all be written to out/a\.labels\.laz"):
        plan_clouds([str(scans / "a.laz"), str(scans / "east/a.laz")], Path("out"))
    with pytest.raises(UsageError, match="lies in the input"):
        plan_clouds([str(scans)], scans / "out")


def test_calling_again_continues(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    tasks = plan_clouds([str(scans)], out)
    first = segment_clouds(model, tasks[:2], folder=out)
    assert (len(first.records), first.skipped) == (2, [])
    second = segment_clouds(model, tasks, folder=out)
    assert [Path(record["source"]).name for record in second.records] == ["b.ply"]
    assert second.skipped == [str(scans / "a.laz"), str(scans / "east/a.laz")]
    assert files(out) == LABELS
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [(line["labels"], line["status"], line["points"]) for line in lines] == [
        ("a.labels.laz", "done", 100), ("east/a.labels.laz", "done", 100), ("west/b.labels.ply", "done", 100),
    ]  # fmt: skip
    assert len(segment_clouds(model, tasks, folder=out, overwrite=True).records) == 3


def test_only_what_is_the_same_is_skipped(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    tasks = plan_clouds([str(scans / "a.laz")], out)
    segment_clouds(model, tasks, folder=out)
    changed = r"a\.labels\.laz exists already, from another model, other settings or a changed cloud; overwrite it"
    with pytest.raises(UsageError, match=changed):
        segment_clouds(predictor(1), tasks, folder=out)
    with pytest.raises(UsageError, match=changed):
        segment_clouds(model, tasks, folder=out, pictures=True)
    put(scans / "a.laz", 50)
    with pytest.raises(UsageError, match=changed):
        segment_clouds(model, tasks, folder=out)
    (out / "a.labels.laz").unlink()
    assert segment_clouds(model, tasks, folder=out).records[0]["points"] == 50
    with pytest.raises(UsageError, match=r"a\.labels\.laz exists already; overwrite it"):
        segment_clouds(model, tasks)


def test_an_interrupted_job_leaves_no_part_of_a_cloud(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted between the labels of the second cloud and its pictures."""
    out, model, label = tmp_path / "out", predictor(), room._label
    calls = 0

    def stop(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        done = label(*arguments)  # type: ignore[arg-type]
        if calls == 2:
            raise KeyboardInterrupt
        return done

    tasks = plan_clouds([str(scans)], out)
    with monkeypatch.context() as patch:
        patch.setattr(room, "_label", stop)
        with pytest.raises(KeyboardInterrupt):
            segment_clouds(model, tasks, folder=out)
    assert files(out) == ["a.labels.laz", "manifest.jsonl"]
    assert len(segment_clouds(model, tasks, folder=out).records) == 2
    assert files(out) == LABELS


def test_failures_are_in_the_manifest_and_tried_again(scans: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", predictor()
    good = (scans / "a.laz").read_bytes()
    (scans / "a.laz").write_bytes(b"LASF nothing")
    tasks = plan_clouds([str(scans)], out)
    found = segment_clouds(model, tasks, folder=out)
    assert list(found.failures) == [str(scans / "a.laz")]
    assert json.loads((out / "manifest.jsonl").read_text().splitlines()[0])["status"] == "error"
    (scans / "a.laz").write_bytes(good)
    again = segment_clouds(model, tasks, folder=out)
    assert (len(again.records), len(again.skipped), again.failures) == (1, 2, {})


def test_a_full_disk_stops_the_job(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from intarsia.errors import DataError

    def full(*_: object) -> None:
        raise DataError("no space") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "_label", full)
    with pytest.raises(DataError, match="no space"):
        segment_clouds(predictor(), plan_clouds([str(scans)], tmp_path / "out"), folder=tmp_path / "out")
    assert files(tmp_path / "out") == []
