"""The check of point clouds finds what was broken on purpose, and the sheet shows them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.checks import cloudcheck
from intarsia.datasets.checks.cloudcheck import _hashes
from intarsia.datasets.checks.preview import contact_sheet
from intarsia.datasets.checks.report import CloudReport, Problem
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels

pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building", "water"))  # codes 2, 6 and 9


def put(path: Path, seed: int = 0, labels: tuple[int, ...] = (0, 1, 2), fields: bool = True) -> Path:
    """90 points of different places, classes in turn."""
    random = np.random.default_rng(seed)
    values = {"intensity": random.integers(1, 99, 90).astype(np.uint16)} if fields else {}
    given = PointCloud(random.uniform(0, 50, (90, 3)), values, source=path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(open_cloud(given), path, np.resize(np.array(labels, np.uint8), 90), SPACE)
    return path


def table(path: Path, rows: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, fmt="%g", header="x y z label", comments="")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    for seed, name in enumerate(("train/a", "train/b", "val/c")):
        put(tmp_path / f"{name}.ply", seed)
    (tmp_path / "classes.txt").write_text("ground\nbuilding\nwater\n")
    return tmp_path


def problems(report: CloudReport) -> list[tuple[str, str]]:
    return sorted((problem.kind, problem.file) for problem in report.problems)


def test_a_clean_data_set(clean: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = open_dataset(clean).check(progress=lambda done, total: calls.append((done, total)))
    assert report.problems == []
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert dict(report.values) == {0: 90, 1: 90, 2: 90}
    assert report.counts["train"].pixels.tolist() == [60, 60, 60]
    text = report.to_text()
    assert "usable clouds: train 2, val 1" in text
    assert "Points: 270 in all, 90 to 90 in a cloud" in text
    assert "Stored values: 0 33.3%, 1 33.3%, 2 33.3%" in text
    assert "(of all points)" in text
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["codes"] == {"0": 90, "1": 90, "2": 90}
    assert plain["splits"]["train"]["classes"][0] == {
        "name": "ground", "points": 60, "share": 0.333333, "clouds": 2, "weight": 1.0, "sqrt_weight": 1.0,
    }  # fmt: skip
    assert "images" not in json.dumps(plain)


def test_clouds_that_cannot_be_used(clean: Path) -> None:
    (clean / "train/cut.ply").write_bytes((clean / "train/a.ply").read_bytes()[:400])
    head = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
    (clean / "train/bare.ply").write_text(head.format(1) + "end_header\n0 0 0\n")
    (clean / "train/none.ply").write_text(head.format(0) + "property uchar label\nend_header\n")
    report = open_dataset(clean).check()
    assert sorted((problem.kind, problem.file) for problem in report.errors) == [
        ("cloud that cannot be read", "train/cut.ply"),
        ("cloud without class codes", "train/bare.ply"),
        ("cloud without points", "train/none.ply"),
    ]
    assert report.counts["train"].counted == 2
    assert report.points == [90, 90, 90]


def test_points_that_spoil_a_cloud(clean: Path) -> None:
    """90 points: 9 lie where another one does, 3 have no coordinates, 30 have a code that no class has."""
    xyz = np.random.default_rng(9).uniform(0, 50, (90, 3))
    xyz[81:] = xyz[:9]
    xyz[20:23, 1] = np.nan
    table(clean / "train/d.txt", np.column_stack([xyz, np.resize([0, 1, 40], 90)]))
    found = {
        problem.kind: problem for problem in open_dataset(clean, ReadOptions(columns="x y z label")).check().problems
    }
    assert "points in one place" not in found, "plain tables are left out beside sure clouds"
    for name in ("train/a", "train/b", "val/c"):
        (clean / f"{name}.ply").unlink()
    table(
        clean / "val/e.txt", np.column_stack([np.random.default_rng(8).uniform(0, 50, (90, 3)), np.resize([0, 1], 90)])
    )
    found = {problem.kind: problem for problem in open_dataset(clean).check().problems}
    assert found["points in one place"].detail.startswith("10.3% of the points lie exactly")  # 9 of 87
    assert found["points without coordinates"].detail == "3 of 90 (3.3%); they are left out"
    assert found["codes without a class"].detail == "40 (33.3%); known: 0-2. Such points are ignored"
    assert found["codes without a class"].severity == "warning"
    assert found["class that never occurs"].detail.startswith("water: no point in any split")


def test_leakage_and_twins(clean: Path) -> None:
    (clean / "val/again.ply").write_bytes((clean / "train/a.ply").read_bytes())
    put(clean / "train/other.ply", 1, labels=(2, 1, 0))  # the places of b with other classes
    assert problems(open_dataset(clean).check()) == [
        ("cloud of train that is also in val", "val/again.ply"),
        ("cloud that occurs twice", "train/other.ply"),
    ]
    details = {problem.file: problem.detail for problem in open_dataset(clean).check().problems}
    assert details["train/other.ply"] == "the same as train/b.ply, and their classes differ"


def test_classes_and_fields_that_are_missing(tmp_path: Path) -> None:
    put(tmp_path / "train/a.ply", 0, labels=(0, 1))
    put(tmp_path / "val/b.ply", 1, labels=(0, 2), fields=False)
    (tmp_path / "classes.txt").write_text("ground\nbuilding\nwater\n")
    found = open_dataset(tmp_path).check().problems
    assert Problem("warning", "class that train lacks", "", "water: occurs in val only; it is never learnt") in found
    assert Problem("warning", "class that val lacks", "", "building: it is learnt, but not measured") in found
    assert [(one.file, one.detail) for one in found if one.kind == "cloud that lacks fields of the others"] == [
        ("val/b.ply", "intensity; features that need them cannot be used")
    ]


def test_codes_of_las_that_say_nothing_are_no_surprise(tmp_path: Path) -> None:
    put(tmp_path / "train/a.laz", 0, labels=(0, 255))  # 255 is written as 0, never classified
    put(tmp_path / "val/b.laz", 1, labels=(0, 2))
    found = open_dataset(tmp_path, ReadOptions(classes=["ground"])).check()
    kinds = {problem.kind for problem in found.problems}
    told = {"codes without a class", "fields without content", "one class alone"}
    assert kinds == told, "9 has no class; one return everywhere"
    assert found.counts["train"].ignored == 45


def test_hashes_are_of_places_and_a_sample_of_them_finds_the_same_share(monkeypatch, tmp_path: Path) -> None:
    xyz = np.array([[0.0, 1, 2], [-0.0, 1, 2], [1, 0, 2], [0, 1, 2.0000001]])
    hashes = _hashes(xyz)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3
    # Steps of a millimetre, as LAS stores them: as many places as hashes.
    grid = np.stack(np.meshgrid(*[np.arange(60) * 0.001] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(_hashes(grid))) == len(grid)
    random = np.random.default_rng(0)
    half = random.uniform(size=(20_000, 3))
    np.save(tmp_path / "a.npy", np.column_stack([half, half[::-1]]).reshape(-1, 3))
    labelled = np.column_stack([np.load(tmp_path / "a.npy"), np.zeros(40_000)])
    np.save(tmp_path / "a.npy", labelled)
    monkeypatch.setattr(cloudcheck, "_MOST_COMPARED", 4000)
    report = open_dataset(tmp_path, ReadOptions(columns="x y z label", classes=["a"]), val_fraction=0).check()
    shares = [
        float(problem.detail.split("%")[0]) for problem in report.problems if problem.kind == "points in one place"
    ]
    assert shares == pytest.approx([50.0])


def test_sheet_shows_own_colours_heights_and_classes(tmp_path: Path) -> None:
    xyz = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0)), axis=-1).reshape(-1, 2)
    xyz = np.column_stack([xyz, xyz[:, 0]])
    red = {"red": np.full(1600, 200, np.uint8), "green": np.zeros(1600, np.uint8), "blue": np.zeros(1600, np.uint8)}
    for name, fields in (("a", red), ("b", {key: np.zeros(1600, np.uint8) for key in red})):
        given = PointCloud(xyz, fields)
        write_labels(
            open_cloud(given), tmp_path / f"{name}.ply", np.where(xyz[:, 0] < 20, 1, 7).astype(np.uint8), SPACE
        )
    split = open_dataset(tmp_path, ReadOptions(classes=["ground", "building"]), val_fraction=0).split("all")
    sheet = np.asarray(contact_sheet(split, cell=100))
    top = slice(28, 128)
    assert (sheet[top, 8:108] == (200, 0, 0)).all()
    row = sheet[206, 8:108, 0].astype(int)  # of the second tile, 128 lower
    assert (np.diff(row) >= 0).all() and row[-1] - row[0] > 150
    labels = sheet[top, 116:216]
    assert (labels[:, :45] == split.space.palette[1]).all()
    assert (labels[:, 55:] == 225).all(), "not labelled"
