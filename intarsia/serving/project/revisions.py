"""Label maps with revisions: each is one file whose name holds its number, so that both change in one rename."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from intarsia.errors import IntarsiaError
from intarsia.files import atomic_path, lock, make_folder, sync

_NAME = re.compile(r"(?P<frame>\d+)\.(?P<revision>\d+)\.png")


class Conflict(IntarsiaError):
    """Somebody else saved meanwhile.

    Attributes:
        present: the revision that there is now.
    """

    def __init__(self, item: str, present: int, expected: int) -> None:
        self.present = present
        super().__init__(
            f"{item} was saved elsewhere meanwhile: its labels are revision {present} now, yours began at {expected}. "
            "Load them again, and repeat what is missing"
        )


class OtherClasses(IntarsiaError):
    """Somebody changed the classes meanwhile.

    Attributes:
        present: the revision that they are now.
    """

    def __init__(self, present: int, expected: int) -> None:
        self.present = present
        super().__init__(
            f"the classes were changed elsewhere meanwhile: they are revision {present} now, yours began at "
            f"{expected}. Load them again, and repeat what is missing"
        )


class Saved(NamedTuple):
    """A label map as it was saved last.

    Attributes:
        revision: how often it was saved.
        path: an index mask (PNG).
    """

    revision: int
    path: Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other threads and processes that also ask from changing a folder meanwhile.

    The system lets go when the process dies, at whatever point.
    """
    make_folder(folder)
    with (folder / "lock").open("ab") as stream:
        lock(stream, wait=True)
        yield


class Revisions:
    """The label maps of the items of a project, by item and frame.

    Args:
        folder: that holds a folder for each item.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def items(self) -> frozenset[str]:
        """The items that have something saved, or had."""
        return frozenset(place.name for place in self.folder.iterdir()) if self.folder.is_dir() else frozenset()

    def of(self, item: str) -> dict[int, Saved]:
        """The newest label map of every frame of an item that has one; of a still picture that of frame 0."""
        found: dict[int, Saved] = {}
        with suppress(FileNotFoundError):
            for path in (self.folder / item).iterdir():
                name = _NAME.fullmatch(path.name)
                if name is None:
                    continue
                frame, revision = int(name["frame"]), int(name["revision"])
                if frame not in found or found[frame].revision < revision:
                    found[frame] = Saved(revision, path)
        return found

    def read(self, item: str, frame: int = 0) -> tuple[bytes, int] | None:
        """The newest label map as a PNG, and its revision; None where nothing was saved."""
        while (saved := self.of(item).get(frame)) is not None:
            with suppress(FileNotFoundError):  # a newer one took its place
                return saved.path.read_bytes(), saved.revision
        return None

    def save(
        self,
        item: str,
        frame: int,
        mask: bytes,
        *,
        expected: int,
        base: int = 0,
        fits: Callable[[], None] | None = None,
    ) -> int:
        """Save a label map, if nobody else did since.

        After a crash at any point there is the old one or the new one, whole, with its own number.

        Args:
            item: its id.
            frame: 0 of still pictures.
            mask: an index mask, as PNG.
            expected: the revision that it began with.
            base: the revision of what was there before anything was saved: 1 where the data set brings labels.
            fits: raises what forbids it, while nobody changes the project.

        Returns:
            The new revision.

        Raises:
            Conflict: there is another revision by now.
            DataError: the place cannot be written.
        """
        with locked(self.folder.parent):
            if fits is not None:
                fits()
            before = self.of(item).get(frame)
            present = base if before is None else before.revision
            if present != expected:
                raise Conflict(item, present, expected)
            place = self.folder / item
            make_folder(place)
            target = place / f"{frame:06d}.{present + 1}.png"
            with atomic_path(target) as temporary:
                temporary.write_bytes(mask)
            sync(place)
            self._tidy(place, frame, present + 1)
        return present + 1

    def _tidy(self, place: Path, frame: int, revision: int) -> None:
        """Remove older revisions of a frame, and what processes left that were ended while they wrote."""
        for path in place.iterdir():
            name = _NAME.fullmatch(path.name)
            old = name is not None and int(name["frame"]) == frame and int(name["revision"]) < revision
            if old or path.name.startswith("."):
                path.unlink(missing_ok=True)
