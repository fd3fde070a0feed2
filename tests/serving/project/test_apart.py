"""A training in a process of its own: what it raises arrives, and who ends it is told."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

import pytest

from intarsia.errors import ModelError, UsageError
from intarsia.serving.project.apart import Lesson, train_apart
from intarsia.stopping import never

pytestmark = pytest.mark.needs_torch


def test_what_the_training_raises_arrives(tmp_path: Path) -> None:
    lesson = Lesson(tmp_path, tmp_path / "run", "no-such-recipe", (), resume=False)
    with pytest.raises(UsageError, match="no-such-recipe"):
        train_apart(lesson, stop=never, meanwhile=lambda: None)
    assert not [one for one in multiprocessing.active_children() if one.name == "intarsia-training"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="such signals are POSIX's")
def test_a_training_that_the_system_ends_is_told_in_a_sentence(tmp_path: Path) -> None:
    def end() -> None:
        for one in multiprocessing.active_children():
            if one.name == "intarsia-training":
                one.kill()

    lesson = Lesson(tmp_path, tmp_path / "run", None, (), resume=False)
    with pytest.raises(ModelError, match="the training's process was ended by SIGKILL, often for lack of memory"):
        train_apart(lesson, stop=never, meanwhile=end)
