"""Plan a job: from sources and a place for results to tasks."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from intarsia.errors import UsageError
from intarsia.files import local
from intarsia.jobs.outputs import choose, choose_of_file, name_outputs
from intarsia.jobs.stores.address import Address, is_address
from intarsia.jobs.stores.sources import listed
from intarsia.jobs.task import Task
from intarsia.jobs.tasks import Some, Tasks, medium_at, outputs_of, repeated, stem_of
from intarsia.media.medium import MEDIA, Item, Medium, Name, Sources, expand
from intarsia.result import Render


@dataclass(frozen=True)
class Plan:
    """The tasks of a job.

    Attributes:
        folder: that holds all outputs, unless they go into a store.
        tasks: one a source; each may be made anew whenever it is asked for.
        keeps_manifest: whether the folder gets a manifest, so that the job can be continued and shared; a single file
            of labels gets none.
        notes: what was left out of the sources, or decided for all of them, in sentences.
        store: the address of an object store below which all outputs go.
    """

    folder: Path
    tasks: Sequence[Task]
    keeps_manifest: bool = True
    notes: tuple[str, ...] = ()
    store: Address | None = None

    @property
    def place(self) -> Path | Address:
        """Where all outputs go, to be shown."""
        return self.store or self.folder

    def paths(self, task: Task) -> dict[str, Path]:
        """Where the outputs of a task go in the folder, by kind."""
        return {kind: self.folder / name for kind, name in task.outputs.items()}

    @cached_property
    def by_medium(self) -> dict[str, Sequence[Task]]:
        """The tasks of each medium, by its name."""
        places: dict[str, array[int]] = {}
        for place in range(len(self.tasks)):
            places.setdefault(medium_at(self.tasks, place).name, array("Q")).append(place)
        return {name: Some(self.tasks, found) for name, found in places.items()}

    def media(self) -> list[Medium]:
        """Name the media that occur."""
        return [tasks[0].medium for tasks in self.by_medium.values()]

    def only(self, wanted: Callable[[Task], bool]) -> Plan:
        """Take the tasks that are wanted."""
        places = array("Q", (place for place, task in enumerate(self.tasks) if wanted(task)))
        return replace(self, tasks=Some(self.tasks, places))

    def noting(self, note: str) -> Plan:
        """Say something of the job, and of each of its tasks."""
        tasks = Some(self.tasks, range(len(self.tasks)), note)
        return replace(self, tasks=tasks, notes=(*self.notes, note))


def plan(
    sources: Name | Iterable[Name],
    out: Name | None = None,
    *,
    outputs: Iterable[str | Render] = (),
    given: Collection[str] = (),
    media: Sequence[Medium] = MEDIA,
) -> Plan:
    """Name the outputs of all sources (files, folders, glob patterns, addresses in stores), each source once.

    What is found in a folder or under a pattern keeps its path relative to it, files keep their name. Where sources
    differ in nothing but the suffix, all of them keep the suffix (a.jpg.mask.png and a.png.mask.png), so that none
    overwrites another.

    Args:
        sources: one or several.
        out: the output folder (None: the current one) or its address in a store, or for one source the file for its
            labels, of a video for its drawing (or, if nothing else is wanted, its labels).
        outputs: kinds of what is written, or renders of your own; () for what is usual of each medium.
        given: names of the options that the user gave; see `media.medium.medium_of`.
        media: those that are known.

    Raises:
        UsageError: two sources would get the same name, one file is named for several, the output folder lies in an
            input folder, or a folder or pattern comes without output folder; or an output is not of the medium.
        DataError: a folder or pattern holds nothing.
    """
    names = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    found = [_found(name, out, given, media) for name in names]
    items = found[0].items if len(found) == 1 else _once([item for one in found for item in one.items])
    store = Address(out) if is_address(out) else None
    if out is not None and store is None:
        out = local(out, writing=True)
    if out is not None and store is None and names_file(out, media=media):
        return _one_file(Path(out), items, list(outputs), media)
    folder = Path(".") if out is None else Path(out)
    if store is None:
        _check_folder(folder, found, asked=out is not None)
    occurring = {item.medium.name: item.medium for item in items}
    kinds = {name: choose(outputs, medium) for name, medium in occurring.items()}
    tasks = Tasks(items, kinds, repeated(lambda: map(stem_of, items)))
    _check_names(tasks)
    return Plan(folder, tasks, notes=tuple(note for one in found for note in one.notes), store=store)


def _once(items: Sequence[Item]) -> Sequence[Item]:
    """Take each source once; a.png and ./a.png are one."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(os.path.abspath(str(item.source)), item)
    return list(first.values())


def _check_names(tasks: Tasks) -> None:
    """See that no two outputs have one name."""
    twice = repeated(lambda: outputs_of(tasks))
    taken: dict[str, Task] = {}
    for task in tasks if twice else ():
        for name in task.outputs.values():
            if name not in twice:
                continue
            if name in taken:
                raise UsageError(
                    f"{taken[name].source} and {task.source} would both be written to {name}; "
                    "give the folder above them, or run them into two output folders"
                )
            taken[name] = task


def _found(name: Name, out: Name | None, given: Collection[str], media: Sequence[Medium]) -> Sources:
    """What a name stands for, in a store or here."""
    if not is_address(name):
        return expand(name, given, media=media)
    base, target = Address(name), Address(out) if is_address(out) else None
    found = listed(base, given, media)
    if found.deep and out is None:
        raise UsageError("prefixes need a folder for the results: -o OUT")
    if found.deep and target is not None and f"{target}/".startswith(f"{base}/"):
        raise UsageError(
            f"the results in {target} would lie in the input {base}, where a later run would take them for sources; "
            "name a prefix outside of it"
        )
    return found


def names_file(out: Name, *, media: Sequence[Medium] = MEDIA) -> bool:
    """Tell whether an output is one file, by its suffix, rather than a folder."""
    path = Path(out)
    return not path.is_dir() and path.name.lower().endswith(
        tuple(end for one in media for end in (*one.suffixes, *one.targets))
    )


def _one_file(out: Path, items: Sequence[Item], outputs: list[str | Render], media: Sequence[Medium]) -> Plan:
    if len(items) != 1:
        raise UsageError(f"{out} is one file, and there are {len(items)} sources: name a folder (-o OUT)")
    item = items[0]
    source, medium = Path(item.source), _written_as(out, item, media)
    if out.exists() and out.resolve() == source.resolve():
        raise UsageError(f"the labels of {source} would be written over it; choose another name")
    kinds = choose_of_file(outputs, medium)
    stem = out.name[: -len(next(end for end in medium.targets if out.name.lower().endswith(end)))]
    names, renders = name_outputs(kinds, stem, source, medium, named={_name_of(kinds[0]): out.name})
    return Plan(out.parent, (Task(item.source, stem, medium, names, renders),), keeps_manifest=False)


def _name_of(kind: str | Render) -> str:
    return kind.name if isinstance(kind, Render) else kind


def _written_as(out: Path, item: Item, media: Sequence[Medium]) -> Medium:
    """The medium whose labels have the target's suffix, if the source can be taken for it."""
    for one in (item.medium, *media):
        if out.name.lower().endswith(one.targets) and one.can_take(item):
            return one
    if not item.medium.targets:
        raise UsageError(f"{out} is one file: name a folder, in which the results of {item.source} get their names")
    raise UsageError(
        f"cannot write the labels of {item.source} to {out}: those of {item.medium.things} are written as "
        f"{' or '.join(item.medium.targets)}"
    )


def _check_folder(folder: Path, found: Sequence[Sources], *, asked: bool) -> None:
    if folder.is_file():
        raise UsageError(f"{folder} is a file; name a folder for the results")
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a pipe or a device, which holds no results; name a folder, or write one file to standard "
            "output (-o -)"
        )
    for one in found:
        if one.base is None:
            continue
        if not asked:
            raise UsageError("folders and patterns need a folder for the results: -o OUT")
        inner, base = folder.resolve(), one.base.resolve()
        if inner == base or (one.deep and inner.is_relative_to(base)):
            raise UsageError(
                f"the output folder {folder} lies in the input {one.base}, where a later run would take results for "
                "sources; name a folder outside of it"
            )
