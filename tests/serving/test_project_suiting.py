"""Which model predicts an item of a project when nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.labels import LabelSpace
from intarsia.serving.engine import Engine
from intarsia.serving.project import Project
from intarsia.serving.project.items import Found
from intarsia.serving.project.suiting import LOOK, that_knows, usual_model
from intarsia.serving.settings import Settings


@pytest.mark.parametrize(
    ("classes", "model"),
    [
        (("background", "person"), "person"),
        (("Road", "person"), "street"),
        (("meadow", "lake"), "street"),
        (("background", "cup"), "street"),
    ],
)
def test_a_model_that_knows_no_class_gives_way_to_one_that_does(
    tmp_path: Path, classes: tuple[str, ...], model: str
) -> None:
    project = Project(tmp_path, default=lambda: LabelSpace(classes))
    engine = Engine(Settings())
    assert that_knows(project, engine, "street") == "street"  # whose classes the project may still take
    project.change_classes(project.classes.rows())
    assert that_knows(project, engine, "street") == model


def test_no_model_predicts_photos_of_what_none_knows(tmp_path: Path) -> None:
    project = Project(tmp_path, default=lambda: LabelSpace(("background", "person")))
    engine, photo = Engine(Settings()), Found("a.png", "picture", tmp_path / "a.png")
    assert usual_model(project, engine, None, photo) == LOOK
    project.change_classes([{"name": "background"}, {"name": "cup"}])
    assert usual_model(project, engine, None, photo) is None
    assert usual_model(project, engine, "street", photo) is None
    project.change_classes([{"index": 0, "name": "background"}, {"index": 1, "name": "cup"}, {"name": "Car"}])
    assert (usual_model(project, engine, None, photo), usual_model(project, engine, "street", photo)) == (
        LOOK,
        "street",
    )
    project.change_classes([{"index": n, "name": name} for n, name in enumerate(("background", "cup", "motor"))])
    assert usual_model(project, engine, "street", photo) == "street"  # knows it by the name that it had
