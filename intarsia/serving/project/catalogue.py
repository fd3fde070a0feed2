"""Catalogue: the items of a project, by ids that last."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from intarsia.datasets.classfile import find_class_file
from intarsia.errors import DataError, IntarsiaError, UsageError, suggest
from intarsia.files import atomic_path, make_folder
from intarsia.labels import LabelSpace
from intarsia.media.medium import medium_of
from intarsia.serving.project.classes import Classes
from intarsia.serving.project.document import Document, Stored, with_ids
from intarsia.serving.project.items import FOLDERS, Content, Found, called, content_of, workspace_content
from intarsia.serving.project.names import safe_stem, stem_of, suffix_to_keep
from intarsia.serving.project.revisions import locked
from intarsia.serving.project.shown import Facts, shown_as
from intarsia.serving.project.views import Views

HIDDEN = ".intarsia"
"""The folder of a project that holds what is nobody's business but the studio's; trainings do not look into it."""
UNNAMED = LabelSpace(("background", "object"))
"""The classes that scans and maps begin with: no bundled model knows them, and its classes would mean nothing."""
_DAY = 24 * 3600  # seconds
_TICK = 50_000_000  # nanoseconds in which a folder may change twice without its time telling


class NoItem(UsageError):
    """There is no item of this id."""


class Catalogue:
    """The items of a folder that several processes may work on, and their classes.

    Args:
        folder: for what is saved. It is a data set: images/, masks/ and classes.json of what was corrected; videos'
            frames lie in frames/, volumes in volumes/, in the same way. Made if it is not there.
        data: somebody's own pictures or labelled data, which are only read; None for a workspace, whose pictures are
            added.
        default: the classes where neither data nor people say them: a model's.

    Raises:
        DataError: the data hold nothing to label, the folder cannot be written, or it is another data's project.
    """

    def __init__(self, folder: Path, data: Path | None = None, *, default: Callable[[], LabelSpace]) -> None:
        self.folder, self.data = folder, data
        self.views = Views()
        make_folder(folder / HIDDEN / "items")
        _sweep(folder / HIDDEN / "incoming")
        self._stored = Stored(folder / HIDDEN / "project.json")
        self._given = Content((), None, ()) if data is None else content_of(Path(os.path.abspath(data)))
        document = self._stored.start(lambda: self._first(default))
        if document.data != self._name_of_data():
            raise DataError(f"{folder} is the project of {document.data or 'no data'}, not of {data}; choose another")
        self._give_ids()
        self._seen: tuple[tuple[int, ...], dict[str, Found]] | None = None

    @property
    def name(self) -> str:
        """For people."""
        return (self.data or self.folder).resolve().name

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the data, in sentences."""
        return self._given.notes

    @property
    def classes(self) -> Classes:
        """The classes as they are now."""
        return self._stored.read().classes

    @property
    def space(self) -> LabelSpace:
        """The classes without their order."""
        return self.classes.space

    def _first(self, default: Callable[[], LabelSpace]) -> Document:
        space, shown = self._given.space or self._listed_space(), {shown_as(found) for found in self._given.found}
        guessed = UNNAMED if shown and not any(one.known for one in shown) else default()
        classes = Classes.of(space or guessed, chosen=space is not None)
        return Document(self._name_of_data(), classes, self._given.space, {})

    def _listed_space(self) -> LabelSpace | None:
        """The classes of a class file that lies in the data's folder."""
        named = find_class_file(self.data) if self.data is not None and self.data.is_dir() else None
        plain = named is not None and (not named.values or tuple(named.values) == tuple(range(len(named.names))))
        return LabelSpace(tuple(named.names), tuple(named.palette or ())) if named is not None and plain else None

    def _name_of_data(self) -> str:
        return "" if self.data is None else os.path.abspath(self.data)

    def _give_ids(self) -> None:
        """Give every item of the data an id, once and for all."""
        known = self._stored.read().ids
        if all(found.place in known for found in self._given.found):
            return

        def more(document: Document) -> Document:
            taken = {name.casefold() for name in document.ids.values()} | self._stems()
            new: dict[str, str] = {}
            for found in self._given.found:
                if found.place not in document.ids:
                    new[found.place] = safe_stem(found.place.replace("/", "_"), taken)
                    taken.add(new[found.place].casefold())
            return with_ids(document, new)

        self._stored.change(more)

    def _stems(self) -> set[str]:
        """What files in the project's own folders are called, casefolded."""
        return {stem_of(path.name).casefold() for place in FOLDERS.values() for path in (self.folder / place).glob("*")}

    def items(self) -> dict[str, Found]:
        """All items by id, in the order of their names."""
        document = self._stored.read()
        when = (*(self._when(place) for place in sorted(set(FOLDERS.values()))), len(document.hidden))
        if self._seen is None or self._seen[0] != when:
            found = {document.ids[one.place]: one for one in self._given.found}
            links = frozenset(document.ids.values())
            for one in workspace_content(self.folder).found:
                name = stem_of(one.place)
                if name not in links:
                    found[name] = one
            shown = {name: one for name, one in found.items() if name not in document.hidden}
            self._seen = (when, shown) if time.time_ns() - max(when[:-1]) > _TICK else None
            return shown
        return self._seen[1]

    def _when(self, place: str) -> int:
        try:
            return (self.folder / place).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def item(self, name: str) -> Found:
        """One item by its id.

        Raises:
            NoItem: there is none.
        """
        items = self.items()
        if name not in items:
            raise NoItem(f"the project has no item {name!r}.{suggest(name, items)}")
        return items[name]

    def facts(self, name: str) -> Facts:
        """Size and frames of an item; see `Views.facts`."""
        return self.views.facts(self.item(name))

    def add(self, name: str, source: Path | bytes) -> str:
        """Add a file; it is copied into the project under a name of its own.

        Args:
            name: what it was called, for people; it says the kind of file by its suffix.
            source: its content.

        Returns:
            The item's id.

        Raises:
            DataError: it cannot be read, or is nothing that Intarsia reads.
        """
        waiting = self.folder / HIDDEN / "incoming" / f"{secrets.token_hex(8)}{suffix_to_keep(name)}"
        try:
            with atomic_path(waiting) as temporary:
                if isinstance(source, bytes):
                    temporary.write_bytes(source)
                else:
                    shutil.copyfile(source, temporary)
            found = Found(name, called(medium_of(waiting)), waiting)
            self._require_readable(found, name)
            return self._place(name, found)
        finally:
            waiting.unlink(missing_ok=True)

    def _require_readable(self, found: Found, name: str) -> None:
        try:
            self.views.open(found).check()
        except IntarsiaError as error:
            raise DataError(str(error).replace(str(found.file), name)) from error

    def _place(self, name: str, found: Found) -> str:
        with locked(self.folder / HIDDEN):
            taken = {one.casefold() for one in self._stored.read().ids.values()} | self._stems()
            stem = safe_stem(name, taken)
            target = self.folder / FOLDERS[found.medium] / f"{stem}{suffix_to_keep(name)}"
            make_folder(target.parent)
            os.replace(found.file, target)
        return stem


def _sweep(incoming: Path) -> None:
    """Remove what processes left that were ended while they added something, a day ago or longer."""
    for path in incoming.glob("*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()
