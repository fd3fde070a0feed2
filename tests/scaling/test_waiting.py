"""The queue of a driver."""

from __future__ import annotations

from collections.abc import Sequence

from intarsia.jobs import Task
from intarsia.media.medium import PICTURE
from intarsia.scaling.waiting import Waiting


def made(*ids: str) -> list[Task]:
    return [Task(f"{name}.png", name, PICTURE, {"labels": f"{name}.mask.png"}) for name in ids]


def ids(tasks: Sequence[Task]) -> str:
    return "".join(task.id for task in tasks)


def test_what_comes_back_is_first_or_last() -> None:
    waiting = Waiting(made("a", "b", "c"))
    a = waiting.take()
    waiting.add([a])
    waiting.add_first(made("x"))
    assert (waiting.next().id, len(waiting)) == ("x", 4)
    assert ids([waiting.take() for _ in range(2)]) == "xb"
    assert ids(waiting.take_all()) == "ca" and len(waiting) == 0


def test_only_the_next_task_is_made() -> None:
    asked: list[int] = []

    class Many(Sequence[Task]):
        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: int) -> Task:  # type: ignore[override]
            asked.append(index)
            return made(str(index))[0]

    waiting = Waiting(Many())
    assert (waiting.next().id, waiting.take().id, waiting.take().id) == ("0", "0", "1")
    assert asked == [0, 1] and len(waiting) == 999_998
