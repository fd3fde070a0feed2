"""Tasks that are made when they are asked for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from intarsia.errors import UsageError
from intarsia.jobs import plan
from intarsia.jobs.tasks import repeated


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_plan_can_be_gone_through_again_and_cut(tmp_path: Path) -> None:
    source = touched(tmp_path / "in", "a.jpg", "a.png", "b.png", "deep/b.png")
    planned = plan(source, tmp_path / "out", outputs=["labels"])
    first = [(task.id, task.outputs["labels"]) for task in planned.tasks]
    assert first == [
        ("a.jpg", "a.jpg.mask.png"), ("a.png", "a.png.mask.png"), ("b", "b.mask.png"), ("deep/b", "deep/b.mask.png"),
    ]  # fmt: skip
    assert [(task.id, task.outputs["labels"]) for task in planned.tasks] == first
    assert (planned.tasks[-1].id, [task.id for task in planned.tasks[1:3]]) == ("deep/b", ["a.png", "b"])
    few = planned.only(lambda task: task.id.endswith("b"))
    assert [task.id for task in few.tasks] == ["b", "deep/b"] and few.folder == planned.folder
    noted = few.noting("so it is").noting("and so")
    assert noted.tasks[1].notes == noted.notes == ("so it is", "and so") and few.tasks[1].notes == ()


def test_tasks_by_medium(tmp_path: Path) -> None:
    source = touched(tmp_path / "in", "a.png", "b.nii.gz", "c.png")
    planned = plan(source, tmp_path / "out")
    assert {name: [task.id for task in tasks] for name, tasks in planned.by_medium.items()} == {
        "picture": ["a", "c"], "volume": ["b"],
    }  # fmt: skip
    assert [medium.name for medium in planned.media()] == ["picture", "volume"]


def test_files_of_two_folders_are_taken_once(tmp_path: Path) -> None:
    source = touched(tmp_path / "in", "a.png", "b.png")
    names = [source / "b.png", source / "a.png", source / ".." / "in" / "b.png"]
    assert [task.id for task in plan(names, tmp_path / "out").tasks] == ["b", "a"]
    other = touched(tmp_path / "other", "b.png")
    with pytest.raises(UsageError, match=r"in.b\.png and .*other.b\.png would both be written to b\.png\.mask\.png"):
        plan([source, other], tmp_path / "out")


def test_a_plan_holds_little(tmp_path: Path) -> None:
    """A hundred bytes a file, of which two dozen are its name; a task takes more than a thousand."""
    count = 2_000
    source = touched(tmp_path / "in", *(f"{index:08d}.jpg" for index in range(count)))
    plan(source, tmp_path / "out")  # loads what it needs
    tracemalloc.start()
    try:
        planned = plan(source, tmp_path / "out")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(planned.tasks) == count and held < 100 * count


class OneNumber(str):
    """A text whose number is that of all others."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


def test_texts_of_one_number_are_not_one() -> None:
    assert repeated(lambda: iter(["a", "b", "a", "c", "b", "a"])) == {"a", "b"}
    assert repeated(lambda: map(OneNumber, "abc")) == frozenset()
    assert sorted(repeated(lambda: map(OneNumber, "abca"))) == ["a"]
    assert repeated(lambda: iter(())) == frozenset()
