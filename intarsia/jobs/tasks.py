"""The tasks of a job, each made when it is asked for: a job may have millions."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from intarsia.jobs.outputs import name_outputs
from intarsia.jobs.task import Task
from intarsia.media.inside import Items
from intarsia.media.medium import Item, Medium
from intarsia.result import Render


class _Made(Sequence[Task]):
    """Tasks of which each is made when it is asked for, and some of them when they are."""

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        return Some(self, range(len(self))[index]) if isinstance(index, slice) else self._made(index)

    @abstractmethod
    def _made(self, index: int) -> Task: ...


class Tasks(_Made):
    """What is made of sources that were found.

    Args:
        items: the sources.
        kinds: what is written of each medium; see `jobs.outputs.choose`.
        shared: stems that several sources have, whose results keep the suffix.
    """

    def __init__(
        self, items: Sequence[Item], kinds: Mapping[str, Sequence[str | Render]], shared: Container[str]
    ) -> None:
        self._items, self._kinds, self._shared = items, kinds, shared

    def __len__(self) -> int:
        return len(self._items)

    def _made(self, index: int) -> Task:
        item = self._items[index]
        bare = stem_of(item)
        stem = str(item.name) if bare in self._shared else bare
        names, renders = name_outputs(self._kinds[item.medium.name], stem, Path(item.source), item.medium)
        return Task(item.source, stem, item.medium, names, renders)

    def medium(self, index: int) -> Medium:
        """What the source of one is, without making it."""
        return self._items.medium(index) if isinstance(self._items, Items) else self._items[index].medium


class Some(_Made):
    """Some of many tasks.

    Args:
        tasks: the many.
        places: of those that are meant, in their order.
        note: that each of them gets; "" for none.
    """

    def __init__(self, tasks: Sequence[Task], places: Sequence[int], note: str = "") -> None:
        self._tasks, self._places, self._note = tasks, places, note

    def __len__(self) -> int:
        return len(self._places)

    def _made(self, index: int) -> Task:
        task = self._tasks[self._places[index]]
        return replace(task, notes=(*task.notes, self._note)) if self._note else task

    def medium(self, index: int) -> Medium:
        """What the source of one is, without making it."""
        return medium_at(self._tasks, self._places[index])


def medium_at(tasks: Sequence[Task], index: int) -> Medium:
    """What the source of one of many tasks is, if possible without making that."""
    return tasks.medium(index) if isinstance(tasks, Tasks | Some) else tasks[index].medium


def stem_of(item: Item) -> str:
    """What the names of a source's results start with, if no other source has the same."""
    folders, slash, name = str(item.name).rpartition("/")
    return f"{folders}{slash}{item.medium.stem(Path(name))}"


def repeated(texts: Callable[[], Iterable[str]]) -> frozenset[str]:
    """Find what comes more than once among many texts, of which only numbers are held.

    Args:
        texts: goes through them, twice.
    """
    numbers = np.sort(np.fromiter(map(hash, texts()), np.int64))
    twice = frozenset(numbers[1:][numbers[1:] == numbers[:-1]].tolist())
    if not twice:
        return frozenset()
    found = Counter(text for text in texts() if hash(text) in twice)
    return frozenset(text for text, count in found.items() if count > 1)


def outputs_of(tasks: Iterable[Task]) -> Iterator[str]:
    """Go through the names of all that is written."""
    return (name for task in tasks for name in task.outputs.values())
