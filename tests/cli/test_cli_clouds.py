"""`intarsia data` and `intarsia segment` on point clouds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Cli

from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels

pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building", "water"))


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    for seed, name in enumerate(("train/a", "train/b", "val/c")):
        random = np.random.default_rng(seed)
        given = PointCloud(random.uniform(0, 50, (90, 3)), {"intensity": random.integers(1, 99, 90).astype(np.uint16)})
        path = tmp_path / f"scenes/{name}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(open_cloud(given), path, np.resize(np.arange(3), 90).astype(np.uint8), SPACE)
    (tmp_path / "scenes/classes.txt").write_text("ground\nbuilding\nwater\n")
    return tmp_path / "scenes"


def test_check_and_show(scenes: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("data", "check", scenes) == 0
    assert "Warnings: none" in cli.out and f"Next:  intarsia train {scenes}" in cli.out
    (scenes / "train/cut.ply").write_bytes(b"ply\n")
    assert cli("data", "check", scenes) == 3
    assert "1 x cloud that cannot be read" in cli.out
    assert cli.json("data", "check", scenes, code=3)["errors"][0]["file"] == "train/cut.ply"
    picture = tmp_path / "sheet.png"
    assert cli("data", "show", scenes, "-o", picture) == 0
    assert picture.stat().st_size > 1000
    assert cli("data", "check", scenes, "--resize-masks") == 2
    assert f"{scenes}: resize_masks is no option of point clouds" in cli.err


def test_plain_tables_are_clouds_when_their_columns_are_named(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "plain").mkdir()
    np.save(tmp_path / "plain/a.npy", np.random.default_rng(0).integers(0, 2, (50, 4)))
    columns = ("--columns", "x y z label")
    assert cli.json("data", "check", tmp_path / "plain", *columns)["codes"].keys() == {"0", "1"}
    assert cli.json("data", "info", tmp_path / "plain", *columns)["splits"]["train"]["points"] == 50


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--annotations", "cvat"), "--annotations is for pictures, not for point clouds"),
        (("--write", "polygons"), "polygons is not written of point clouds; of them: labels, top, side, page"),
        (("--bands", "1,2,3"), "--bands is for rasters, not for point clouds"),
        (("--window", "0,9"), "--window is for pictures and stacks and rasters and volumes"),
        (("--write", "confidence"), "confidence is not written of point clouds"),
        (("--tile", "256"), "--tile is for pictures and stacks and rasters and volumes"),
        (("--long-side", "0"), "--long-side is for pictures and stacks and rasters and volumes and videos"),
        (("--refine", "crf"), "--refine is for pictures"),
        (("--series", "1.2"), "--series is for volumes"),
        (("--video", "flow"), "--video is for videos, not for point clouds"),
        (("--limit", "3"), "--limit is for videos"),
        (("--overwrite", "--resume"), "choose one"),
    ],
)
def test_options_of_other_media_are_refused(scenes: Path, cli: Cli, option: tuple[str, ...], said: str) -> None:
    assert cli("segment", scenes / "val/c.ply", *option) == 2
    assert said in cli.err


def test_resume(scenes: Path, tmp_path: Path, tiny_cloud: Path, cli: Cli) -> None:
    command = ("segment", scenes, "-m", tiny_cloud, "-o", tmp_path / "out", "--resume")
    assert len(cli.json(*command)["records"]) == 3
    again = cli.json(*command)
    assert (again["records"], len(again["skipped"])) == ([], 3)
    (tmp_path / "out/val/c.labels.ply").unlink()
    assert cli(*command) == 0
    assert "1 done, 2 were done before" in cli.out


@pytest.fixture
def tiny_cloud(tmp_path: Path) -> Path:
    from intarsia.bundle import Bundle
    from intarsia.models import build
    from intarsia.preprocessing import CloudPreprocessing

    pytest.importorskip("scipy")
    model = build("pointnet_scene", classes=3, in_channels=3)
    settings = CloudPreprocessing(features=(), block=20.0, points=64)
    path = tmp_path / "tiny.safetensors"
    Bundle("pointnet_scene", {"in_channels": 3}, SPACE, settings, model.state_dict()).save(path)
    return path


def test_tables_are_clouds_where_nothing_else_reads_them(tmp_path: Path, tiny_cloud: Path, cli: Cli) -> None:
    rows = np.random.default_rng(0).uniform(0, 20, (80, 3))
    (tmp_path / "in").mkdir()
    np.savetxt(tmp_path / "in/a.csv", rows, fmt="%.3f", delimiter=",", header="x,y,z", comments="")
    np.savetxt(tmp_path / "in/b.pts", rows, fmt="%.3f")
    planned = cli.json("segment", tmp_path / "in/a.csv", tmp_path / "in/b.pts", "--dry-run")["planned"]
    assert [one["medium"] for one in planned] == ["cloud", "cloud"]
    assert len(cli.json("segment", tmp_path / "in/a.csv", "-m", tiny_cloud, "-o", tmp_path / "out")["records"]) == 1
    (tmp_path / "in/b.pts").unlink()
    assert [one["medium"] for one in cli.json("segment", tmp_path / "in", "-o", "o", "--dry-run")["planned"]] == [
        "cloud"
    ]
    assert cli("segment", tmp_path / "in/a.csv", "-m", "street", "-o", tmp_path / "no") == 3
    assert "this model is for pictures" in cli.err


def test_codes_of_las(scenes: Path, tmp_path: Path, tiny_cloud: Path, cli: Cli) -> None:
    import laspy

    source, out = scenes / "val/c.ply", tmp_path / "c.las"
    codes = ("--codes", "ground=1", "--codes", "building=17", "--codes", "water=18")
    record = cli.json("segment", source, "-m", tiny_cloud, "-o", out, *codes)["records"][0]
    assert record["settings"]["codes"] == {"ground": 1, "building": 17, "water": 18}
    assert set(np.unique(laspy.read(out).classification).tolist()) <= {1, 17, 18}
    wrong = (("water", "are CLASS=CODE"), ("watr=3", "Did you mean 'water'"), ("water=6", "code of building"))
    for said, told in wrong:
        assert cli("segment", source, "-m", tiny_cloud, "-o", tmp_path / "d.las", "--codes", said) == 2
        assert told in cli.err
    assert cli("segment", source, "-m", tiny_cloud, "-o", tmp_path / "d.ply", "--codes", "water=3") == 2
    assert "codes are those of LAS and LAZ" in cli.err
