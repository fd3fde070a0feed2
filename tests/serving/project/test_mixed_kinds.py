"""Projects with pictures, scans and clouds: what is listed, exported and learnt from, and what is left out."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import open_dataset
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.media.png import encode_mask
from intarsia.recipe import Recipe
from intarsia.serving.project import Project, learning
from intarsia.serving.project.apart import Lesson
from intarsia.serving.project.cloudpublishing import publish_clouds
from intarsia.serving.project.clouds import Clouds
from intarsia.serving.project.drafts import Draft
from intarsia.serving.project.exporting import export
from intarsia.serving.project.kinds import in_words, kinds_of
from intarsia.serving.project.learning import check, chosen, train_job

pytest.importorskip("laspy")
pytest.importorskip("nibabel")
pytest.importorskip("pydicom")

from volumes_made import body, write_nifti, write_series

SPACE = LabelSpace(("ground", "roof"), ((150, 100, 50), (200, 0, 0)))
POINTS = 400


def write_cloud(path: Path, seed: int = 0) -> Path:
    """A floor with a block on it, unlabelled."""
    random = np.random.default_rng(seed)
    xyz = random.uniform(0, [20, 20, 0.2], (POINTS, 3))
    xyz[: POINTS // 2, 2] += 6
    cloud = PointCloud(xyz, {"intensity": random.uniform(0, 1, POINTS).astype(np.float32)})
    write_labels(open_cloud(cloud), path, np.full(POINTS, 255, np.uint8), LabelSpace(("ground",)))
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A workspace with a picture, a scan and two clouds in two formats, nothing of which is labelled."""
    project = Project(tmp_path / "work", default=lambda: SPACE)
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    write_nifti(tmp_path / "ct.nii.gz", body()[0])
    for name in ("photo.png", "ct.nii.gz", write_cloud(tmp_path / "a.laz").name, write_cloud(tmp_path / "b.ply").name):
        project.add(name, tmp_path / name)
    project.change_classes([{"index": 0, "name": "ground"}, {"index": 1, "name": "roof"}])
    return project


def test_opening_a_cloud_leaves_what_was_predicted_of_pictures_its_classes(tmp_path: Path) -> None:
    people = LabelSpace(("background", "person"))
    project = Project(tmp_path / "work", default=lambda: people)
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    cloud = open_cloud(PointCloud(np.random.default_rng(0).uniform(0, 9, (POINTS, 3)), {}))
    write_labels(cloud, tmp_path / "a.las", np.zeros(POINTS, np.uint8), LabelSpace(("ground",)))
    for name in ("photo.png", "a.las"):
        project.add(name, tmp_path / name)
    labels = encode_mask(np.ones((6, 8), np.uint8), people)
    project.drafts.keep("photo", 0, labels, b"", Draft("person", 0.1))
    assert (Clouds(project, lambda: SPACE).open("a").labels.read().labels == 2).all()
    assert project.space.names == ("background", "person", "ground")
    assert project.drafts.labels("photo", 0) == labels


def test_predictions_go_with_the_classes_that_they_were_of(project: Project) -> None:
    project.drafts.keep("photo", 0, b"", b"", Draft("other", 0.1))
    assert not project.adopt(LabelSpace(("cat",))) and project.drafts  # somebody said the classes
    fresh = Project(project.folder.parent / "fresh", default=lambda: SPACE)
    fresh.drafts.keep("photo", 0, b"", b"", Draft("other", 0.1))
    assert fresh.adopt(SPACE) and fresh.drafts
    assert fresh.adopt(LabelSpace(("cat",))) and not fresh.drafts and fresh.drafts.of("photo") == {}


def label_cloud(project: Project, name: str) -> np.ndarray:
    """Call the upper half of a cloud roof, and most of the rest ground."""
    labels = project.cloud_folder(name), Clouds(project, lambda: None).open(name).labels
    values = np.ones(POINTS, np.uint8)
    values[POINTS // 2 :], values[-10:] = 0, 255
    index = np.flatnonzero(values != labels[1].read().labels)
    labels[1].change(index, values[index], labels[1].read().revision)
    return values


def label_all(project: Project) -> dict[str, np.ndarray]:
    width, height, _ = project.facts("ct")
    for name, size in (("photo", (6, 8)), ("ct", (height, width))):
        project.put(name, encode_mask(np.ones(size, np.uint8), SPACE), expected=0)
    return {name: label_cloud(project, name) for name in ("a", "b")}


def test_a_cloud_that_was_corrected_says_so(project: Project) -> None:
    assert (project.status("a").state, project.status("a").revision) == ("new", 0)
    label_cloud(project, "a")
    status = project.status("a")
    assert (status.state, status.revision, status.labelled) == ("corrected", 1, (0,))
    assert project.labelled() == ["a"] and project.status("b").state == "new"


def test_masks_hold_every_kind(project: Project, tmp_path: Path) -> None:
    labels = label_all(project)
    made = export(project, "png", tmp_path / "all.zip")
    with zipfile.ZipFile(made.path) as archive:
        assert archive.namelist() == [
            "masks/photo.png", "volumes/masks/ct.nii.gz", "clouds/a.laz", "clouds/b.ply", "classes.json",
        ]  # fmt: skip
        archive.extractall(tmp_path / "all")
    # LAS has a code of its own for ground; other classes have free ones, and what is unlabelled is 0.
    codes = read_cloud(tmp_path / "all" / "clouds" / "a.laz").label
    assert codes is not None
    assert {*codes[labels["a"] == 0]} == {2} and {*codes[labels["a"] == 255]} == {0} and len({*codes}) == 3
    assert np.array_equal(read_cloud(tmp_path / "all" / "clouds" / "b.ply").label, labels["b"])
    assert sorted(path.name for path in (project.folder / "points").glob("*")) == []


def test_tools_for_pictures_say_what_they_leave_out(project: Project, tmp_path: Path) -> None:
    label_cloud(project, "a")
    with pytest.raises(DataError, match="coco is for pictures, and only 1 point cloud have labels; export them as png"):
        export(project, "coco", tmp_path / "none.zip")
    label_all(project)
    losses = export(project, "coco", tmp_path / "coco.zip").losses
    assert losses[-1] == "1 scan and 2 point clouds left out: coco is for pictures; export them as png"


def test_a_model_learns_from_one_kind_and_the_rest_is_told(project: Project) -> None:
    label_all(project)
    assert in_words(kinds_of(project, project.labelled())) == "1 picture and 1 scan and 2 point clouds"
    assert chosen(project, None)[0] == "picture"
    kind, left = chosen(project, "cloud")
    assert kind == "cloud" and left.startswith("1 picture and 1 scan left out: a model learns from one kind of thing")
    assert "kind=picture or kind=volume" in left
    with pytest.raises(UsageError, match="scribbles are learnt from pictures and scans"):
        check(project, "scribbles", None, "cloud")
    check(project, "finetune", None, "cloud")  # by the bundled model of clouds


def test_what_is_not_labelled_cannot_be_learnt_from(project: Project) -> None:
    label_cloud(project, "a")
    with pytest.raises(DataError, match="nothing of the kind volume is labelled, only 1 point cloud"):
        chosen(project, "volume")
    assert chosen(project, None) == ("cloud", "")


def test_clouds_train_with_the_classes_of_the_project(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = label_all(project)
    split = open_dataset(publish_clouds(project), val_fraction=0).first
    assert isinstance(split, CloudSplit) and split.space.names == SPACE.names
    for index, item in enumerate(split.items):
        assert np.array_equal(split.read(index)[1], labels[item.id])
    before = {path.name: path.stat().st_mtime_ns for path in (project.folder / "points").iterdir()}
    asked: list[Lesson] = []

    def train(lesson: Lesson, **_: Any) -> Path:
        asked.append(lesson)
        return lesson.folder / "best.safetensors"

    monkeypatch.setattr(learning, "train_apart", train)
    best = train_job(project, "finetune", tmp_path / "run", kind="cloud")
    assert best.name == "best.safetensors" and asked[0].data == project.folder / "points"
    assert isinstance(asked[0].recipe, Recipe) and asked[0].recipe.model.architecture == "randlanet"
    assert "data.val=train" in asked[0].changes  # of two clouds none is held back
    after = {path.name: path.stat().st_mtime_ns for path in (project.folder / "points").iterdir()}
    assert all(after[name] == before[name] for name in ("a.laz", "b.ply"))  # nothing changed
    project.remove("a")
    assert sorted(path.name for path in (project.folder / "points").iterdir()) == ["b.ply", "classes.txt"]


def test_a_series_of_slices_becomes_a_volume_that_trainings_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-900, 900, (4, 6, 5)).astype(np.int16)
    write_series(tmp_path / "data" / "patient", values)
    write_cloud(tmp_path / "data" / "hill.laz")
    project = Project(tmp_path / "work", tmp_path / "data", default=lambda: SPACE)
    assert {name: item.medium for name, item in project.items().items()} == {"patient": "volume", "hill": "cloud"}
    width, height, frames = project.facts("patient")
    assert (width, height, frames) == (5, 6, 4)
    mask = np.zeros((height, width), np.uint8)
    mask[2:, :] = 1
    project.put("patient", encode_mask(mask, SPACE), expected=0, frame=1)
    project.gather()
    split = open_dataset(project.folder / "volumes", val_fraction=0).first
    assert isinstance(split, VolumeSplit) and len(split.items) == frames and split.space.names == SPACE.names
    assert np.array_equal(split.target(split.items[1]), mask)
    assert (split.target(split.items[0]) == SPACE.ignore_index).all()
    ((volume, _),) = split.cases().values()
    from intarsia.media.volumes import open_volume

    made, series = open_volume(volume), open_volume(tmp_path / "data" / "patient")
    assert np.array_equal(made.read((-900, 900), "axial"), series.read((-900, 900), "axial"))
    assert made.grid.differs(series.grid) in ("", None)
