"""Learning from what was corrected in the studio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import TINY, TinyRun
from volumes_made import body, write_nifti

import intarsia
from intarsia.bundle import Description
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.png import encode_mask
from intarsia.serving.project import Project, learning
from intarsia.serving.project.apart import Lesson
from intarsia.serving.project.learning import going_on, train_job
from intarsia.stopping import Stop

pytestmark = pytest.mark.needs_torch
SPACE = LabelSpace(("meadow", "lake"), ((0, 200, 0), (0, 0, 200)))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two pictures, green at the left and blue at the right, with a few strokes on the first."""
    project = Project(tmp_path / "work", default=lambda: SPACE)
    for seed, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(seed).integers(0, 60, (64, 96, 3), dtype=np.uint8)
        pixels[:, :48, 1] += 150
        pixels[:, 48:, 2] += 150
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        project.add(f"{name}.png", tmp_path / f"{name}.png")
    strokes = np.full((64, 96), 255, np.uint8)
    strokes[20:26, 5:40], strokes[40:46, 55:90] = 0, 1
    project.put("a", encode_mask(strokes, SPACE), expected=0)
    return project


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process, which spares the start of another."""

    def train_here(lesson: Lesson, *, stop: Stop, meanwhile: Callable[[], None]) -> Path:
        run = intarsia.train(
            lesson.data, lesson.folder, recipe=lesson.recipe, changes=lesson.changes, progress=False, stop=stop
        )
        meanwhile()
        return run.best

    monkeypatch.setattr(learning, "train_apart", train_here)


def test_a_forest_learns_from_strokes(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    told: list[tuple[str, Mapping[str, Any]]] = []
    best = train_job(project, "scribbles", tmp_path / "run", tell=lambda kind, value: told.append((kind, value)))
    assert told[0] == ("progress", {"what": "labels", "done": 1, "total": 1})
    assert told[-1][0] == "curve" and told[-1][1]["miou"] > 0.99
    result = intarsia.load(best).segment(tmp_path / "b.png")
    assert result.space == SPACE
    assert (result.labels[:, 4:44] == 0).mean() > 0.99 and (result.labels[:, 52:92] == 1).mean() > 0.99


def test_a_forest_learns_from_strokes_on_a_slice_of_a_scan(here: None, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    values, _ = body()
    write_nifti(tmp_path / "scan.nii.gz", np.kron(values, np.ones((2, 4, 4))))
    project = Project(tmp_path / "work", default=lambda: SPACE)
    project.add("scan.nii.gz", tmp_path / "scan.nii.gz")
    width, height, slices = project.facts("scan")
    assert slices is not None
    seen = project.views.picture(project.item("scan"), slices // 2)[..., 0]
    bright = seen > 128
    strokes = np.full((height, width), 255, np.uint8)
    strokes[::3, ::2] = bright[::3, ::2]
    project.put("scan", encode_mask(strokes, SPACE), expected=0, frame=slices // 2)
    best = train_job(project, "scribbles", tmp_path / "run")
    assert Description.load(best).preprocessing.is_for("volume")
    labels = intarsia.load(best).segment(tmp_path / "scan.nii.gz").labels
    assert set(np.unique(labels)) == {0, 1}


def test_a_network_goes_on(here: None, project: Project, tmp_path: Path, tiny_run: TinyRun) -> None:
    told: list[Mapping[str, Any]] = []
    best = train_job(
        project, "finetune", tmp_path / "run", base=str(tiny_run.run.best),
        changes=("training.epochs=2", "training.validate_every=1", "training.workers=0"),
        tell=lambda kind, value: told.append(value) if kind == "curve" else None,
    )  # fmt: skip
    assert [row["epoch"] for row in told] == [1, 2]
    assert all(row["loss"] > 0 and 0 <= row["miou"] <= 1 for row in told)
    description = Description.load(best)
    assert description.space == SPACE
    assert description.architecture == "unet"  # as the one that it goes on from


def test_a_new_network_by_a_recipe(here: None, project: Project, tmp_path: Path) -> None:
    best = train_job(project, "recipe", tmp_path / "run", recipe="unet", changes=(*TINY, "training.epochs=1"))
    assert Description.load(best).space == SPACE


def test_it_stops_when_it_is_asked_to(project: Project, tmp_path: Path, tiny_run: TinyRun) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_job(project, "finetune", tmp_path / "run", base=str(tiny_run.run.best), stop=lambda: True)


def test_what_cannot_be_learnt(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no way of learning named 'magic'"):
        train_job(project, "magic", tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="person was converted"):
        train_job(project, "finetune", tmp_path / "run", base="person")
    with pytest.raises(DataError, match="nothing in empty is labelled yet"):
        train_job(Project(tmp_path / "empty", default=lambda: SPACE), "scribbles", tmp_path / "run")


def test_the_bundled_street_model_can_go_on() -> None:
    recipe = going_on("street")
    assert recipe.model.weights.endswith("street.onnx")
    assert (recipe.optimizer.lr, recipe.optimizer.encoder_lr) == (0.0004, 0.0001)
    assert recipe.data.layout == "auto" and recipe.data.path == ""
