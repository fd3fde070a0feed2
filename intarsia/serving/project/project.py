"""Project: pictures, their labels with revisions, and their classes, in one folder; no HTTP in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.datasets.layouts.filenames import natural
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray, LabelSpace, check_values
from intarsia.media.maskfile import read_mask_file
from intarsia.media.png import encode_mask
from intarsia.serving.project.catalogue import HIDDEN, Catalogue
from intarsia.serving.project.classes import Classes
from intarsia.serving.project.document import Document
from intarsia.serving.project.drafts import Drafts
from intarsia.serving.project.items import Found, labels_as
from intarsia.serving.project.learnt import Learnt
from intarsia.serving.project.names import stem_of
from intarsia.serving.project.publishing import (
    Labels,
    withdraw,
    write_classes,
)
from intarsia.serving.project.revisions import Revisions, Saved, locked
from intarsia.serving.project.shown import shown_as, write_volume
from intarsia.serving.project.status import Order, State, Status


class Project(Catalogue):
    """A folder with pictures, labels and classes that several processes may work on; see `Catalogue`."""

    def __init__(self, folder: Path, data: Path | None = None, *, default: Callable[[], LabelSpace]) -> None:
        super().__init__(folder, data, default=default)
        self.revisions, self.drafts = Revisions(folder / HIDDEN / "items"), Drafts(folder / HIDDEN / "items")
        self.learnt = Learnt(folder / HIDDEN)

    def status(self, name: str) -> Status:
        """How far an item is."""
        found, saved, drafts = self.item(name), self.revisions.of(name), self.drafts.of(name)
        changes = shown_as(found).revision(self.own_folder(name))
        given = self._given_frames(name, found)
        frames = given | set(saved) | ({0} if changes else set())
        corrected = saved or changes
        state: State = "corrected" if corrected else "labelled" if given else "predicted" if drafts else "new"
        known = [one.agreement for one in drafts.values() if one.agreement is not None]
        return Status(
            sum(one.revision for one in saved.values()) or changes or int(bool(frames)),
            state,
            float(np.mean([one.uncertainty for one in drafts.values()])) if drafts else None,
            float(np.mean(known)) if known else None,
            tuple(sorted(frames)),
        )

    def _given_frames(self, name: str, found: Found) -> set[int]:
        """The frames of an item with labels that it brought along."""
        if found.truth is not None:
            return set(range(len(found.truth.places)))
        return {0} if shown_as(found).brings_labels(found, self.own_folder(name)) else set()

    def own_folder(self, name: str) -> Path:
        """Where an item's labels are kept."""
        return self.folder / HIDDEN / "items" / name

    def cloud_folder(self, name: str) -> Path:
        """Where the labels of a cloud are kept."""
        return self.own_folder(name) / "cloud"

    def listed(self, order: Order = "name") -> list[str]:
        """All ids: by name, as people count; the most uncertain drafts first; or what agrees least with its labels."""
        items = self.items()
        names = sorted(items, key=lambda name: natural(stem_of(items[name].place).casefold()))
        if order == "name":
            return names
        touched = self.revisions.items()
        states = {name: self.status(name) for name in names if name in touched}

        def key(name: str) -> tuple[float, float]:
            state = states.get(name)
            if state is None or state.uncertainty is None:
                return 2.0, 0.0
            if order == "worst":
                return (0.0, state.agreement) if state.agreement is not None else (1.0, -state.uncertainty)
            return float(bool(state.labelled)), -state.uncertainty

        return sorted(names, key=key)

    def remove(self, name: str) -> None:
        """Take an item out of the project, with its labels; a file of somebody's own data stays as it is."""
        found = self.item(name)
        withdraw(self.folder, name, [*self.revisions.of(name)])
        if name in self._stored.read().ids.values():
            self._stored.change(lambda document: replace(document, hidden=document.hidden | {name}))
        else:
            found.file.unlink(missing_ok=True)
        shutil.rmtree(self.own_folder(name), ignore_errors=True)

    # Labels

    def labels(self, name: str, frame: int = 0) -> tuple[bytes, int] | None:
        """The labels of an item as an index PNG, and their revision; None where there are none.

        Raises:
            NoItem: there is no such item.
            DataError: the data's own labels cannot be read.
        """
        found = self.item(name)
        saved = self.revisions.read(name, frame)
        if saved is not None or found.truth is None or frame >= len(found.truth.places):
            return saved
        return encode_mask(self.truth(name, frame), self.space), 1

    def truth(self, name: str, frame: int = 0) -> LabelArray:
        """The labels that the data set brings along, in the project's classes."""
        found, document = self.item(name), self._stored.read()
        assert found.truth is not None
        origin = document.origin or document.classes.space
        labels = labels_as(origin, found.truth.split.space)(found.truth.read(frame))
        # Classes keep their numbers, whatever is done to their names.
        return labels.astype(document.classes.space.dtype)

    def decoded(self, name: str, data: bytes, what: str) -> LabelArray:
        """An index PNG as labels of the project's classes, of the size of an item.

        Raises:
            DataError: it is no index mask, of another size, or holds values that are no class.
        """
        width, height, _ = self.facts(name)
        values = read_mask_file(data, what, max(1, width * height)).values
        if values.shape != (height, width):
            size = "x".join(str(side) for side in values.shape[1::-1])
            raise DataError(f"{what} is {size}{' colours' * (values.ndim == 3)}, and {name} is {width}x{height}")
        space = self.space
        labels: LabelArray = values.astype(np.uint16)
        check_values(labels, space, what)
        return labels.astype(space.dtype)

    def put(self, name: str, data: bytes, *, expected: int, frame: int = 0, classes: int | None = None) -> int:
        """Save the labels of an item, and write them where trainings read them.

        Args:
            name: the item's id.
            data: an index PNG of the item's size.
            expected: the revision that it began with; 0 for the first.
            frame: of a video or the slice of a volume.
            classes: the revision of the classes whose numbers the mask holds; None: of those that there are.

        Returns:
            The new revision.

        Raises:
            Conflict: somebody else saved meanwhile; nothing is changed.
            OtherClasses: the classes got other numbers meanwhile; nothing is changed.
            DataError: it does not fit, or cannot be written.
            UsageError: there is no such item or frame.
        """
        found = self.item(name)
        if not 0 <= frame < (self.facts(name).frames or 1):
            raise UsageError(f"{name} has no frame {frame}")
        self._require_numbers(classes)
        self.decoded(name, data, f"the labels of {name}")
        base = int(found.truth is not None and frame < len(found.truth.places))
        fits = partial(self._require_numbers, classes)
        revision = self.revisions.save(name, frame, data, expected=expected, base=base, fits=fits)
        if not shown_as(found).is_whole:
            self._publish(name, frame)
        return revision

    def _require_numbers(self, revision: int | None) -> None:
        self.classes.require_numbers(revision)

    def _publish(self, name: str, frame: int) -> None:
        """Write the newest labels of a picture or frame into the data set."""
        shown = self.views.open(self.item(name))
        with locked(self.folder / HIDDEN):
            there, space = self.labels(name, frame), self.space
            assert there is not None
            labels = Labels(there[0], lambda: self.decoded(name, there[0], name))
            write_classes(self.folder, space)
            shown.write(self.folder, name, frame, labels, space)

    def labelled(self) -> list[str]:
        """The items that have labels.

        Raises:
            DataError: there are none.
        """
        names = [name for name in self.items() if self.status(name).labelled]
        if not names:
            raise DataError(f"nothing in {self.name} is labelled yet; correct a picture, and save it, first")
        return names

    def gather(self, tell: Callable[[int, int], None] | None = None) -> Path:
        """Bring the data sets in the folder up to date: volumes, the data's own labels, what a crash left undone.

        Clouds have one of their own; see `publish_clouds`.

        Args:
            tell: called with how many items are done, and of how many.

        Returns:
            The folder.

        Raises:
            DataError: nothing is labelled, or something cannot be read or written.
        """
        names = [name for name in self.labelled() if shown_as(self.item(name)).gathered]
        write_classes(self.folder, self.space)
        for done, name in enumerate(names, start=1):
            found, saved = self.item(name), self.revisions.of(name)
            shown = shown_as(found)
            if shown.is_whole:
                self._gather_volume(name, found, saved)
            else:
                for frame in sorted(saved) or [0]:
                    if _is_older(shown.mask(self.folder, name, frame), saved.get(frame)):
                        self._publish(name, frame)
            if tell is not None:
                tell(done, len(names))
        return self.folder

    def _gather_volume(self, name: str, found: Found, saved: Mapping[int, Saved]) -> None:
        target, space = shown_as(found).mask(self.folder, name, 0), self.space
        newest = max(saved.values(), key=lambda one: one.path.stat().st_mtime_ns, default=None)
        if not _is_older(target, newest):
            return
        base: LabelArray | None = None
        if found.truth is not None:
            base = np.stack([self.truth(name, frame) for frame in range(len(found.truth.places))]).astype(space.dtype)
        write_volume(self.folder, name, found, dict(saved), base, space)

    # Classes

    def change_classes(self, rows: Sequence[Mapping[str, Any]], expected: int | None = None) -> Classes:
        """Add, rename, recolour and reorder classes, and remove some while nothing is labelled; see `Classes.changed`.

        Where some are removed, the others have new numbers, and what models said is forgotten.

        Raises:
            OtherClasses: they are not of the revision that is expected (None: any); nothing is changed.
            UsageError: see `Classes.changed`.
        """
        before = self.classes

        def change(document: Document) -> Document:
            nonlocal before
            before = document.classes
            before.require(expected)
            removing = not set(range(len(before.space))) <= {row.get("index") for row in rows}
            unused = removing and self._given.space is None and not self._has_labels()
            return replace(document, classes=before.changed(rows, unused=unused))

        after = self._stored.change(change).classes
        if after.numbered != before.numbered:
            self.drafts.forget()
        if after.space != before.space:
            write_classes(self.folder, after.space)
            self._repaint(recoloured=after.space.palette[: len(before.space)] != before.space.palette)
        return after

    def _has_labels(self) -> bool:
        """Whether anything is labelled that somebody has touched."""
        touched = self.revisions.items() & set(self.items())
        return any(self.status(name).labelled for name in touched)

    @property
    def is_settled(self) -> bool:
        """Whether somebody said the classes, or labelled by them, so that no model's take their place."""
        return self.classes.chosen or self._has_labels()

    def adopt(self, space: LabelSpace) -> bool:
        """Take a model's classes, while nobody has said any and nothing is labelled; what others said is forgotten.

        Returns:
            Whether they are the project's now.
        """
        if self.space.names == space.names:
            return True
        if self.is_settled:
            return False
        self._stored.change(lambda document: replace(document, classes=document.classes.replaced(space)))
        self.drafts.forget()
        return True

    def _repaint(self, *, recoloured: bool) -> None:
        """Write anew what holds the classes' colours, or their names, as maps and scans do."""
        for name in self.revisions.items() & set(self.items()):
            shown = shown_as(self.item(name))
            if shown.is_whole:
                shown.mask(self.folder, name, 0).unlink(missing_ok=True)  # written by `gather`
            elif recoloured or shown.holds_names:
                for frame in self.revisions.of(name):
                    self._publish(name, frame)


def _is_older(path: Path, saved: Saved | None) -> bool:
    """Whether what was written for trainings is older than what was saved, or not there."""
    if not path.exists():
        return True
    return saved is not None and path.stat().st_mtime_ns < saved.path.stat().st_mtime_ns
