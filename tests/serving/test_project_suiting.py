"""Which model predicts an item of a project when nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.labels import LabelSpace
from intarsia.serving.engine import Engine
from intarsia.serving.project import Project
from intarsia.serving.project.suiting import that_knows
from intarsia.serving.settings import Settings


@pytest.mark.parametrize(
    ("classes", "model"),
    [(("background", "person"), "person"), (("Road", "person"), "street"), (("meadow", "lake"), "street")],
)
def test_a_model_that_knows_no_class_gives_way_to_one_that_does(
    tmp_path: Path, classes: tuple[str, ...], model: str
) -> None:
    project = Project(tmp_path, default=lambda: LabelSpace(classes))
    engine = Engine(Settings())
    assert that_knows(project, engine, "street") == "street"  # whose classes the project may still take
    project.change_classes(project.classes.rows())
    assert that_knows(project, engine, "street") == model
